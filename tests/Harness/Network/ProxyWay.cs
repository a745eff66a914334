namespace VmoCluster.Harness;

/// <summary>Which of a connection's two streams a fault is for.</summary>
[Flags]
public enum ProxyWay
{
    None = 0,
    ToServer = 1,
    ToClient = 2,
    Both = ToServer | ToClient,
}
