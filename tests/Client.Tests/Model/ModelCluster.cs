using System.Diagnostics;
using VmoCluster.Messages;

namespace VmoCluster.Client.Tests.Model;

/// <summary>
/// A cluster in memory that keeps real bytes and request ids and does what it is told to with messages. Its semantics are those of the
/// product as far as a client can tell them apart.
/// </summary>
public sealed partial class ModelCluster : ITransport
{
    private const VmoRights All = VmoRights.Duplicate | VmoRights.Transfer | VmoRights.Read | VmoRights.Write | VmoRights.Map
        | VmoRights.GetProperty | VmoRights.SetProperty | VmoRights.Signal | VmoRights.Wait | VmoRights.Inspect;

    private readonly Lock _gate = new();
    private readonly Dictionary<Koid, ModelVmo> _vmos = [];
    private readonly Dictionary<RequestId, CreateReply> _created = [];
    private readonly Dictionary<string, int> _counts = [];
    private ulong _lastKoid = 100;

    /// <summary>Decides what becomes of the nth attempt (from 1) of a kind: create, call, read, read-piece, write, write-piece, list, scrub, version.</summary>
    public Func<string, int, Fault> Faults { get; set; } = static (_, _) => Fault.None;

    /// <summary>Holds messages of the named kind until the task has ended.</summary>
    public Func<string, Task>? Hold { get; set; }

    public List<Attempt> Attempts { get; } = [];
    public bool IsDisposed { get; private set; }
    public int VmoCount => Locked(() => _vmos.Count);

    /// <summary>How many answers the model kept for repeats, and how often each took effect.</summary>
    public IReadOnlyCollection<int> Effects(Koid koid) => Locked(() => _vmos[koid].Effects.Values.ToArray());

    public byte[] Bytes(Koid koid) => Locked(() => (byte[])_vmos[koid].Bytes.Clone());

    public bool IsConfirmed(VmoHandle handle) => Locked(() => _vmos[handle.Koid].Handles[handle.Secret].IsConfirmed);

    public Attempt[] AttemptsOf(string name) => Locked(() => Attempts.Where(attempt => attempt.Name == name).ToArray());

    public ValueTask<CreateReply> CreateAsync(CreateCall call, CancellationToken cancellation) =>
        PassAsync("create", call.Head, 1, 0, () => Create(call), outcome => new CreateReply { Outcome = outcome }, cancellation);

    public ValueTask<ReadReplies> ReadAsync(Koid koid, ReadCalls reads, CancellationToken cancellation) => PassAsync(
        "read", reads.Head, reads.Items.Length, reads.Items.Sum(item => item.Length),
        () => Read(koid, reads), outcome => ReadReplies.Fail(outcome, reads.Items.Length), cancellation);

    public ValueTask<ReadReplies> ReadPieceAsync(Koid koid, ReadPieceCall piece, CancellationToken cancellation) => PassAsync(
        "read-piece", piece.Head, 1, piece.Whole.Length,
        () => ReadPiece(koid, piece), outcome => ReadReplies.Fail(outcome, 1), cancellation);

    public ValueTask<WriteReplies> WriteAsync(Koid koid, WriteCalls writes, CancellationToken cancellation) => PassAsync(
        "write", writes.Head with { Request = writes.Items[0].Request }, writes.Items.Length, writes.Data.Length,
        () => Write(koid, writes), outcome => WriteReplies.Fail(outcome, writes.Items.Length), cancellation);

    public async ValueTask<WriteReplies> WritePieceAsync(Koid koid, WritePieceCall piece, CancellationToken cancellation)
    {
        var whole = await PassAsync(
            "write-piece", piece.Head, 1, piece.Data.Length,
            () => (Outcome.Ok, WritePiece(koid, piece)), outcome => (outcome, Task.FromResult(WriteReplies.Fail(outcome, 1))), cancellation);
        return await whole.Item2.WaitAsync(cancellation);
    }

    public ValueTask<ListReply> ListAsync(ListCall list, CancellationToken cancellation) => PassAsync(
        "list", new CallHead(default, default, 0, 1, list.Caller), 1, 0, () => List(list), outcome => new ListReply { Outcome = outcome }, cancellation);

    public ValueTask<ScrubReply> ScrubAsync(ScrubCall call, CancellationToken cancellation) => PassAsync(
        "scrub", new CallHead(default, default, 0, 1, call.Caller), 1, 0, () => Scrub(call), outcome => new ScrubReply { Outcome = outcome }, cancellation);

    public async ValueTask<string> ServerVersionAsync(CancellationToken cancellation)
    {
        var (outcome, version) = await PassAsync(
            "version", default, 1, 0, () => (Outcome.Ok, "9.9.9"), outcome => (outcome, ""), cancellation);
        outcome.ThrowIfFailed();
        return version;
    }

    public async ValueTask<VmoReply> CallAsync(Koid koid, VmoCall call, CancellationToken cancellation)
    {
        if (call is not WaitCall wait)
            return await PassAsync("call", call.Head, 1, 0, () => Call(koid, call), outcome => new VmoReply { Outcome = outcome }, cancellation);
        for (var started = Stopwatch.StartNew(); ;)
        {
            var (reply, changed) = await PassAsync(
                "wait", call.Head, 1, 0, () => Observe(koid, wait), outcome => (new VmoReply { Outcome = outcome }, Task.CompletedTask), cancellation);
            var left = TimeSpan.FromMilliseconds(wait.PollMs) - started.Elapsed;
            if (reply.Outcome.Status != VmoStatus.TimedOut || left <= TimeSpan.Zero)
                return reply;
            await Task.WhenAny(changed, Task.Delay(left, cancellation));
            cancellation.ThrowIfCancellationRequested();
        }
    }

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        return ValueTask.CompletedTask;
    }

    private async ValueTask<T> PassAsync<T>(
        string name, CallHead head, int items, int bytes, Func<T> run, Func<Outcome, T> refuse, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        int number;
        lock (_gate)
        {
            number = _counts[name] = _counts.GetValueOrDefault(name) + 1;
            Attempts.Add(new(name, number, head.Request, head.AckedBelow, head.DeadlineMs, items, bytes, head.Caller, Stopwatch.GetTimestamp()));
        }

        if (Hold is { } hold)
            await hold(name).WaitAsync(cancellation);
        var fault = Faults(name, number);
        switch (fault.Kind)
        {
            case FaultKind.LoseMessage:
                return refuse(new(VmoStatus.Io, "lost on its way"));
            case FaultKind.ShouldWait:
                return refuse(new(VmoStatus.ShouldWait, "too much to do", fault.RetryAfterMs));
            case FaultKind.HangBefore:
                await Task.Delay(Timeout.Infinite, cancellation);
                break;
            case FaultKind.Throw:
                throw new InvalidDataException("a secret detail of the inside");
        }

        var reply = Locked(run);
        if (fault.Kind == FaultKind.LoseAnswer)
            return refuse(new(VmoStatus.Io, "the answer was lost"));
        if (fault.Kind == FaultKind.HangAfter)
            await Task.Delay(Timeout.Infinite, cancellation);
        return reply;
    }

    private T Locked<T>(Func<T> run)
    {
        lock (_gate)
            return run();
    }
}
