namespace VmoCluster.Fsx.Model;

/// <summary>What the model says of an operation.</summary>
/// <param name="Statuses">How it ends; several where the order of two refusals is not ruled.</param>
/// <param name="Data">What a read shows.</param>
public sealed record Answer(VmoStatus[] Statuses, byte[]? Data = null)
{
    public static Answer Ok { get; } = new([VmoStatus.Ok]);

    public bool IsOk => Statuses is [VmoStatus.Ok];

    public static implicit operator Answer(VmoStatus status) => new([status]);
}
