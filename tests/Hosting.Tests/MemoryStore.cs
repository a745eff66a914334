using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Tests;

/// <summary>Sessions and owners in memory, with the store's rules and its ways to fail. Pages are not part of these tests.</summary>
internal sealed class MemoryStore : ISessionStore, IPageStore
{
    private readonly Dictionary<ulong, SessionState> _sessions = [];
    private readonly Dictionary<ulong, List<Letter>> _letters = [];
    private readonly Dictionary<ulong, HashSet<Koid>> _unfinished = [];
    private readonly Dictionary<Koid, Owner> _owners = [];
    private readonly HashSet<Koid> _tombstones = [];

    /// <summary>Runs before each call takes effect; may throw, and so be a store that does not answer.</summary>
    public Action<string> Before { get; set; } = _ => { };

    /// <summary>Runs after the effect; may throw, and so lose the answer.</summary>
    public Action<string> After { get; set; } = _ => { };

    /// <summary>Where a call rests before and after its effect; at once unless a test says otherwise.</summary>
    public Func<Task> Travel { get; set; } = () => Task.CompletedTask;

    /// <summary>
    /// Asked before each effect. True: it has kept the effect and will run it later, or never; the caller meanwhile hears that the store did
    /// not answer, as after a request that lay in a socket.
    /// </summary>
    public Func<Action, bool> Postpone { get; set; } = _ => false;

    public IReadOnlyDictionary<ulong, SessionState> Sessions => _sessions;

    public IReadOnlyDictionary<Koid, Owner> Owners => _owners;

    public Dictionary<string, int> Calls { get; } = [];

    /// <summary>What each take-over that took effect had remembered.</summary>
    public List<uint> Remembered { get; } = [];

    /// <summary>How the store is; a test says so.</summary>
    public StoreCondition Condition { get; set; } = StoreCondition.Calm;

    /// <summary>Nobody is told: a test takes a silo's turns itself.</summary>
    public Task ConditionMoved { get; } = new TaskCompletionSource().Task;

    /// <summary>The lineage a silo has last said it goes by; null: none has.</summary>
    public long? Adopted { get; private set; }

    public void Adopt(long lineage) => Adopted = lineage;

    /// <summary>Sets a session's counter back, as a failover to a replica that was behind does.</summary>
    public void SetBack(ulong session, ulong counter) => _sessions[session] = _sessions[session] with { Counter = counter };

    public void Put(Koid vmo, Owner owner) => _owners[vmo] = owner;

    public void Bury(Koid vmo)
    {
        _owners.Remove(vmo);
        _tombstones.Add(vmo);
    }

    public ValueTask OpenSessionAsync(ulong session, string description, CancellationToken cancellation) =>
        new(DoAsync("open", () => _sessions.TryAdd(session, new(1, 0, false, true, description))).AsTask());

    public ValueTask<Renewal> RenewAsync(ulong session, ulong counter, ulong ackedLetter, CancellationToken cancellation) =>
        DoAsync("renew", () =>
        {
            var state = State(session);
            if (!state.Exists || state.IsDead || state.Counter != counter)
            {
                return new Renewal(false, []);
            }

            _sessions[session] = state with { Counter = counter + 1, AckedLetter = Math.Max(state.AckedLetter, ackedLetter) };
            return new(true, LettersOf(session).Where(letter => letter.Number > ackedLetter).ToList());
        });

    public ValueTask<SessionState> ReadSessionAsync(ulong session, CancellationToken cancellation) => DoAsync("read", () => State(session));

    public ValueTask<IReadOnlyDictionary<ulong, SessionState>> ReadSessionsAsync(CancellationToken cancellation) =>
        DoAsync<IReadOnlyDictionary<ulong, SessionState>>(
            "read all", () => _sessions.Where(pair => !pair.Value.IsDead).ToDictionary(pair => pair.Key, pair => pair.Value));

    public ValueTask<bool> MarkDeadAsync(ulong session, ulong counterSeen, CancellationToken cancellation) =>
        DoAsync("mark dead", () =>
        {
            var state = State(session);
            if (!state.Exists || state.IsDead || state.Counter != counterSeen)
            {
                return false;
            }

            _sessions[session] = state with { IsDead = true };
            return true;
        });

    public ValueTask<ulong> SendLetterAsync(ulong session, LetterKind kind, Koid vmo, string detail, CancellationToken cancellation) =>
        DoAsync("letter", () =>
        {
            var state = State(session);
            if (!state.Exists || state.IsDead)
            {
                return 0ul;
            }

            var letters = LettersOf(session);
            letters.Add(new((ulong)letters.Count + 1, kind, vmo, detail));
            return (ulong)letters.Count;
        });

    public ValueTask NoteUnfinishedAsync(ulong session, Koid vmo, CancellationToken cancellation) =>
        new(DoAsync("note", () => UnfinishedOf(session).Add(vmo)).AsTask());

    public ValueTask ClearUnfinishedAsync(ulong session, Koid vmo, CancellationToken cancellation) =>
        new(DoAsync("clear", () => UnfinishedOf(session).Remove(vmo)).AsTask());

    public ValueTask<IReadOnlyList<Koid>> ReadUnfinishedAsync(ulong session, CancellationToken cancellation) =>
        DoAsync<IReadOnlyList<Koid>>("read unfinished", () => UnfinishedOf(session).Order().ToList());

    public ValueTask<IReadOnlyList<ulong>> ReadEstatesAsync(CancellationToken cancellation) =>
        DoAsync<IReadOnlyList<ulong>>("read estates", () => _unfinished.Where(e => e.Value.Count > 0 && (e.Key == ISessionStore.Newborns || State(e.Key).IsDead)).Select(e => e.Key).ToList());

    public ValueTask<RecordLoad> LoadRecordAsync(Koid vmo, CancellationToken cancellation) =>
        DoAsync("load", () => _owners.TryGetValue(vmo, out var owner)
            ? new RecordLoad(Existence.Exists, new(owner, 1, []))
            : _tombstones.Contains(vmo) ? new(Existence.Tombstone, new(default, 0, [])) : new(Existence.Nothing, null));

    public ValueTask<TakeOver> TakeOverAsync(Koid vmo, Owner expected, Owner next, uint leftBy, CancellationToken cancellation) =>
        DoAsync("take over", () =>
        {
            var found = _owners.GetValueOrDefault(vmo);
            if (found != expected && found != next)
            {
                return new TakeOver(false, found);
            }

            _owners[vmo] = next;
            Remembered.Add(leftBy);
            return new(true, expected);
        });

    public ValueTask FinishWritesAsync(Koid vmo, CancellationToken cancellation) => new(DoAsync("finish writes", () => true).AsTask());

    public ValueTask ReleaseAsync(Koid vmo, Owner owner, uint leftBy, CancellationToken cancellation) =>
        new(DoAsync("release", () =>
        {
            if (_owners.GetValueOrDefault(vmo) == owner)
            {
                _owners[vmo] = owner.Released(leftBy);
            }

            return true;
        }).AsTask());

    public ValueTask<Koid> AllocateKoidsAsync(int count, CancellationToken cancellation) => throw NotHere();
    public ValueTask<Koid> BindRequestAsync(RequestId request, Koid proposed, CancellationToken cancellation) => throw NotHere();
    public ValueTask<bool> CreateAsync(Koid vmo, Owner owner, LayerId layer, IReadOnlyList<StoreField> layerFields, IReadOnlyList<StoreField> recordFields, bool isPromised, CancellationToken cancellation) => throw NotHere();
    public ValueTask<StoredHash?> LoadLayerAsync(LayerId layer, IReadOnlyList<ReadOnlyMemory<byte>> names, CancellationToken cancellation) => throw NotHere();
    public ValueTask<long> CountFieldsAsync(LayerId layer, CancellationToken cancellation) => throw NotHere();
    public IAsyncEnumerable<IReadOnlyList<StoreField>> ScanLayerAsync(LayerId layer, ReadOnlyMemory<byte> prefix, CancellationToken cancellation) => throw NotHere();
    public ValueTask<CommitOutcome> CommitAsync(StoreCommit commit) => throw NotHere();
    public ValueTask<Settlement> SettleAsync(Koid vmo, Owner owner, CommitTarget target, LayerId layer, ulong seq) => throw NotHere();
    public ValueTask<bool[]> ReadBlobsAsync(IReadOnlyList<BlobRead> reads, CancellationToken cancellation) => throw NotHere();
    public ValueTask<long> UnlinkBlobsAsync(StoreFence fence, LayerId layer, IReadOnlyList<BlobId> blobs, bool areFormersDone, CancellationToken cancellation) => throw NotHere();
    public ValueTask<bool> RemoveFieldsAsync(Koid vmo, Owner owner, CommitTarget target, LayerId layer, ulong seqLeast, IReadOnlyList<ReadOnlyMemory<byte>> names, CancellationToken cancellation) => throw NotHere();
    public ValueTask<bool> DropLayerAsync(Koid vmo, Owner owner, LayerId layer, LayerId holder, StoreField field, CancellationToken cancellation) => throw NotHere();
    public ValueTask<bool> EraseAsync(Koid vmo, Owner owner, IReadOnlyList<LayerId> layers, IReadOnlyList<StoreField> tombstone, CancellationToken cancellation) => throw NotHere();
    public IAsyncEnumerable<IReadOnlyList<Koid>> ScanVmosAsync(Koid after, CancellationToken cancellation) => throw NotHere();

    public ValueTask<KeyPortion> ListKeysAsync(KeyPlace from, CancellationToken cancellation) => throw NotHere();

    private static InvalidOperationException NotHere() => new("Sessions and ownership have no business with this call.");

    private SessionState State(ulong session) => _sessions.GetValueOrDefault(session);

    private List<Letter> LettersOf(ulong session) => _letters.TryGetValue(session, out var letters) ? letters : _letters[session] = [];

    private HashSet<Koid> UnfinishedOf(ulong session) => _unfinished.TryGetValue(session, out var set) ? set : _unfinished[session] = [];

    private async ValueTask<T> DoAsync<T>(string call, Func<T> effect)
    {
        await Travel();
        Calls[call] = Calls.GetValueOrDefault(call) + 1;
        Before(call);
        if (Postpone(() => effect()))
        {
            throw new StoreException(VmoStatus.Io, "the store did not answer in time");
        }

        var answer = effect();
        After(call);
        await Travel();
        return answer;
    }
}
