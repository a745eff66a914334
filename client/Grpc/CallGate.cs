namespace VmoCluster.GrpcDoor;

/// <summary>Counts the calls under way, in all and by connection. What is beyond a limit has done nothing and may come back soon.</summary>
internal sealed class CallGate(VmoDoorOptions options)
{
    private const int ComeBackMs = 50;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, int> _byConnection = [];
    private int _all;

    public Outcome TryEnter(string connection)
    {
        lock (_gate)
        {
            if (_all >= options.CallsMax)
                return new(VmoStatus.ShouldWait, $"{_all} calls under way at this door, at most {options.CallsMax}", ComeBackMs);
            var own = _byConnection.GetValueOrDefault(connection);
            if (own >= options.CallsPerConnectionMax)
                return new(VmoStatus.ShouldWait, $"{own} calls under way on this connection, at most {options.CallsPerConnectionMax}", ComeBackMs);
            _byConnection[connection] = own + 1;
            _all++;
            return Outcome.Ok;
        }
    }

    public void Leave(string connection)
    {
        lock (_gate)
        {
            _all--;
            if (_byConnection[connection] is var own && own > 1)
                _byConnection[connection] = own - 1;
            else
                _byConnection.Remove(connection);
        }
    }
}
