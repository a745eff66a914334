using VmoCluster.Client;
using VmoCluster.Fsx.Ops;
using VmoCluster.Messages;

namespace VmoCluster.Fsx.Targets;

/// <summary>A family on a cluster, through a client as services have it.</summary>
/// <param name="client">The client.</param>
/// <param name="canList">Whether the client is an operator's, and what is left at the end can be looked for.</param>
internal sealed class ClientTarget(VmoClient client, bool canList) : ITarget
{
    private readonly Dictionary<HandleName, Vmo> _vmos = [];
    private readonly Dictionary<Koid, int> _names = [];
    private bool _isEnded;

    public TimeSpan Patience => TimeSpan.FromSeconds(20);

    public Task<Outcome> CreateAsync(HandleName name, ulong size, bool isFixed) =>
        AskAsync(async () => Add(name, await client.CreateAsync(size, new() { NonResizable = isFixed, Name = "fsx" })));

    public Task<Outcome> WriteAsync(HandleName on, ulong offset, byte[] data) => AskAsync(() => _vmos[on].WriteAsync(offset, data));

    public async Task<(Outcome Outcome, byte[] Data)> ReadAsync(HandleName on, ulong offset, ulong length)
    {
        var data = new byte[length];
        return (await AskAsync(() => _vmos[on].ReadAsync(offset, data)), data);
    }

    public Task<Outcome> CallAsync(Op op)
    {
        var (vmo, range) = (_vmos[op.On], new ByteRange(op.A, op.B));
        return AskAsync(() => op.Kind switch
        {
            OpKind.Zero => vmo.ZeroAsync(range),
            OpKind.Decommit => vmo.DecommitAsync(range),
            OpKind.Commit => vmo.CommitAsync(range),
            OpKind.Resize => vmo.SetSizeAsync(op.A),
            OpKind.Content => vmo.SetContentSizeAsync(op.A),
            OpKind.Close => vmo.CloseAsync(),
            _ => vmo.RevokeAsync(),
        });
    }

    public Task<Outcome> DuplicateAsync(HandleName on, HandleName to, VmoRights rights) => AskAsync(async () => Add(to, await _vmos[on].DuplicateAsync(rights)));

    public Task<Outcome> CloneAsync(HandleName on, IReadOnlyList<ChildSpec> children) => AskAsync(async () =>
    {
        var (specs, names) = (CoreTarget.SpecsOf(children), CoreTarget.NamesOf(children));
        var clones = specs.Length == 1 ? await _vmos[on].CloneManyAsync(names.Count, specs[0]) : await _vmos[on].CloneManyAsync(specs);
        for (var i = 0; i < names.Count; i++)
            Add(names[i], clones[i]);
    });

    public async Task<(Outcome Outcome, IReadOnlyList<LookupRun> Runs)> LookupAsync(HandleName on, ulong offset, ulong length)
    {
        List<LookupRun> runs = [];
        return (await AskAsync(async () =>
        {
            await foreach (var run in _vmos[on].LookupAsync(new(offset, length)))
                runs.Add(run);
        }), runs);
    }

    public async Task<(Outcome Outcome, VmoInfo? Info)> InfoAsync(HandleName on)
    {
        VmoInfo? info = null;
        return (await AskAsync(async () => info = await _vmos[on].GetInfoAsync()), info);
    }

    public int? NameOf(Koid koid) => _names.TryGetValue(koid, out var name) ? name : null;

    public void Disturb(Op op)
    {
    }

    public Task SettleAsync() => Task.CompletedTask;

    public Task<string?> CheckBooksAsync() => Task.FromResult<string?>(null);

    public async Task<string?> CheckEmptyAsync()
    {
        _isEnded = true;
        if (!canList)
            return null;
        await foreach (var vmo in client.ListAsync(new()))
        {
            if (NameOf(vmo.Koid) is { } name)
                return $"v{name} (koid {vmo.Koid}, {vmo.Kind} with {vmo.ChildCount} children)";
        }

        return null;
    }

    // What was made by a script that was not played to its end goes as well. Of one that was, every handle is closed: a call through one of them would wake a VMO
    // that has to come to its end by itself.
    public async ValueTask DisposeAsync()
    {
        if (_isEnded)
            return;
        foreach (var vmo in _vmos.Values)
            await AskAsync(() => vmo.CloseAsync());
    }

    private void Add(HandleName name, Vmo vmo) => (_vmos[name], _names[vmo.Koid]) = (vmo, name.Vmo);

    private static async Task<Outcome> AskAsync(Func<Task> call)
    {
        try
        {
            await call();
            return Outcome.Ok;
        }
        catch (VmoException refused)
        {
            return Outcome.Of(refused);
        }
    }
}
