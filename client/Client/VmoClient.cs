using System.Runtime.CompilerServices;
using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// A cluster as its users see it: creates VMOs, opens handles, waits for many. Thread-safe; one per process and cluster is enough.
/// Calls are tried until their deadline under one request id, so that a repeat after a lost answer takes effect once. Refusals are
/// <see cref="VmoException"/>; a cancelled call throws <see cref="OperationCanceledException"/> and may still take effect.
/// </summary>
public sealed class VmoClient : IAsyncDisposable
{
    private const int ClosesInFlight = 16;

    // How long closing waits for confirmations of handles that were made just before.
    private static readonly TimeSpan DrainMost = TimeSpan.FromSeconds(3);
    private readonly CallLoop _calls;
    private readonly Confirmations _confirmations;
    private readonly bool _ownsTransport;

    /// <summary>A client over any transport, which it owns from here on.</summary>
    public VmoClient(ITransport transport, VmoClientOptions options)
        : this(transport, options, ownsTransport: true)
    {
    }

    internal VmoClient(ITransport transport, VmoClientOptions options, bool ownsTransport)
    {
        ArgumentNullException.ThrowIfNull(transport);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        (_calls, _ownsTransport) = (new(transport, options), ownsTransport);
        _confirmations = new(_calls);
    }

    /// <summary>A client over gRPC. Nothing is sent yet; a wrong address shows with the first call.</summary>
    public static VmoClient Connect(VmoClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        return new(new GrpcTransport(options), options);
    }

    /// <summary>Whether a server has ever answered this client: false tells "never reached" from "in trouble".</summary>
    public bool HasAnswered => _calls.Transport.HasAnswered;

    /// <summary>Creates a VMO of so many bytes, rounded up to pages, all zero, and its first handle.</summary>
    public async Task<Vmo> CreateAsync(ulong size, VmoCreateOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new();
        CheckText(options.Name, "name");
        foreach (var (key, value) in options.Labels ?? new Dictionary<string, string>())
        {
            CheckText(key, "label's key");
            CheckText(value, "label's value");
        }

        var secret = HandleSecret.Create();
        var (caller, deadline) = (_calls.Options.Caller, VmoClientOptions.CheckDeadline(options.Deadline ?? _calls.Options.Deadline));
        var labels = options.Labels is { Count: > 0 } given ? new Dictionary<string, string>(given) : null;
        var reply = await _calls.RunAsync(
            CallKind.Create, Koid.None, secret, caller, deadline, _calls.Options.AttemptTimeout,
            (head, stop) => _calls.Transport.CreateAsync(
                new()
                {
                    Head = head,
                    Size = size,
                    Options = options.Options | (options.NonResizable ? VmoOptions.NonResizable : VmoOptions.None),
                    Name = options.Name,
                    Labels = labels,
                },
                stop),
            static reply => reply.Outcome,
            cancellation).ConfigureAwait(false);
        reply.Outcome.ThrowIfFailed();
        var handle = new VmoHandle(reply.Koid, secret);
        _confirmations.Confirm(handle, caller);
        return new(_calls, _confirmations, handle, reply.Rights, caller, _calls.Options.Deadline);
    }

    /// <summary>The VMO behind a handle. Asks nothing: whether the handle is any good shows with the first call.</summary>
    public Vmo Open(VmoHandle handle) => Open(handle, _calls.Options.Caller);

    /// <summary>Closes several handles. All are tried, whatever becomes of the others; a handle given twice is unknown the second time.</summary>
    public async Task<CloseManyResult> CloseManyAsync(IReadOnlyList<VmoHandle> handles, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(handles);
        if (handles.Count > Limits.CloseManyMax)
            throw new VmoException(VmoStatus.OutOfRange, $"{handles.Count} handles to close, at most {Limits.CloseManyMax} at once");
        var outcomes = new Outcome[handles.Count];
        await Parallel.ForEachAsync(
            Enumerable.Range(0, handles.Count),
            new ParallelOptions { MaxDegreeOfParallelism = ClosesInFlight, CancellationToken = cancellation },
            async (i, stop) =>
            {
                try
                {
                    await Open(handles[i]).CloseAsync(stop).ConfigureAwait(false);
                }
                catch (VmoException refused)
                {
                    outcomes[i] = Outcome.Of(refused);
                }
            }).ConfigureAwait(false);
        return new(outcomes);
    }

    /// <summary>
    /// Waits until one of up to 16 items shows a bit of its mask. A refusal of any item ends the wait with that item's status, the first
    /// one's by order. What is observed is told for all items, also after the timeout.
    /// </summary>
    public Task<WaitManyResult> WaitManyAsync(IReadOnlyList<WaitItem> items, TimeSpan timeout, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(items);
        return WaitManyForAsync(items, timeout, _calls.Options.Caller, cancellation);
    }

    /// <summary>All VMOs that pass the filter, rising by koid, asked for as they are consumed. Operator.</summary>
    public async IAsyncEnumerable<VmoInfo> ListAsync(VmoListFilter filter, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(filter);
        for (var after = Koid.None; ;)
        {
            var from = after;
            var reply = await _calls.RunAsync(
                CallKind.List, Koid.None, default, _calls.Options.Caller, _calls.Options.Deadline, _calls.Options.AttemptTimeout,
                (head, stop) => _calls.Transport.ListAsync(
                    new()
                    {
                        Caller = head.Caller,
                        LabelKey = filter.LabelKey,
                        LabelValue = filter.LabelValue,
                        NameGlob = filter.NameGlob,
                        After = from,
                    },
                    stop),
                static reply => reply.Outcome,
                cancellation).ConfigureAwait(false);
            reply.Outcome.ThrowIfFailed();
            foreach (var vmo in reply.Vmos)
            {
                yield return vmo;
                after = vmo.Koid;
            }

            if (!reply.More || after == from)
                yield break;
        }
    }

    /// <summary>
    /// Walks one VMO's family, or the whole store, and tells what is wrong; changes nothing. Operator. Nothing is asked before it is enumerated.
    /// </summary>
    /// <param name="family">Any VMO of the family; None for the whole store.</param>
    /// <param name="bytes">Whether every page's bytes are read and compared with their checksums, too; without, records and layers only.</param>
    public ScrubWalk ScrubAsync(Koid family = default, bool bytes = true) => new(_calls, family, bytes);

    /// <summary>A new handle with all rights of a VMO that exists. Operator; audited.</summary>
    public async Task<Vmo> OperatorHandleAsync(Koid koid, CancellationToken cancellation = default)
    {
        var secret = HandleSecret.Create();
        var caller = _calls.Options.Caller;
        var reply = await _calls.RunAsync(
            CallKind.OperatorHandle, koid, default, caller, _calls.Options.Deadline, _calls.Options.AttemptTimeout,
            (head, stop) => _calls.Transport.CallAsync(koid, new OperatorHandleCall(head, secret), stop),
            static reply => reply.Outcome,
            cancellation).ConfigureAwait(false);
        reply.Outcome.ThrowIfFailed();
        var handle = new VmoHandle(koid, secret);
        _confirmations.Confirm(handle, caller);
        return new(_calls, _confirmations, handle, reply.Rights, caller, _calls.Options.Deadline);
    }

    /// <summary>The server's version.</summary>
    public async Task<string> ServerVersionAsync(CancellationToken cancellation = default)
    {
        var (outcome, version) = await _calls.RunAsync(
            CallKind.Version, Koid.None, default, _calls.Options.Caller, _calls.Options.Deadline, _calls.Options.AttemptTimeout,
            async (_, stop) =>
            {
                try
                {
                    return (Outcome.Ok, await _calls.Transport.ServerVersionAsync(stop).ConfigureAwait(false));
                }
                catch (VmoException refused)
                {
                    return (Outcome.Of(refused), "");
                }
            },
            static reply => reply.Item1,
            cancellation).ConfigureAwait(false);
        outcome.ThrowIfFailed();
        return version;
    }

    /// <summary>Waits a moment for confirmations under way, then gives up everything that is still going on.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_calls.IsStopped)
            return;
        await _confirmations.DrainAsync(DrainMost).ConfigureAwait(false);
        _calls.IsStopped = true;
        if (_ownsTransport)
            await _calls.Transport.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>For front doors: the VMO behind a handle, on behalf of a caller whom the door has proved.</summary>
    internal Vmo Open(VmoHandle handle, Caller caller) => new(_calls, _confirmations, handle, null, caller, _calls.Options.Deadline);

    /// <summary>For front doors: the same wait, on behalf of a caller whom the door has proved.</summary>
    internal Task<WaitManyResult> WaitManyForAsync(
        IReadOnlyList<WaitItem> items, TimeSpan timeout, Caller caller, CancellationToken cancellation) =>
        new ManyWaiter(_calls, items, caller).WaitAsync(timeout, cancellation);

    /// <summary>Text must be Unicode before it can be UTF-8: half a surrogate pair is refused here, not mangled on the way.</summary>
    internal static string CheckText(string text, string what)
    {
        ArgumentNullException.ThrowIfNull(text, what);
        for (var i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
                continue;
            if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1]))
                throw new VmoException(VmoStatus.InvalidArgs, $"the {what} is not Unicode: half a surrogate pair at character {i}");
            i++;
        }

        return text;
    }
}
