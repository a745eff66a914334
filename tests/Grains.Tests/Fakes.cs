using System.Reflection;
using VmoCluster.Core.Store;

namespace VmoCluster.Grains.Tests;

/// <summary>Sessions in a store, of which a test decides what is known: letters are counted and acknowledged at once.</summary>
public class FakeSessionStore : DispatchProxy
{
    /// <summary>What the silo knows of its store.</summary>
    public StoreCondition Condition { get; set; } = StoreCondition.Calm;

    /// <summary>To whom letters were sent.</summary>
    public List<ulong> Letters { get; } = [];

    internal static ISessionStore Create(out FakeSessionStore fake)
    {
        var store = Create<ISessionStore, FakeSessionStore>();
        fake = (FakeSessionStore)(object)store;
        return store;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        switch (targetMethod?.Name)
        {
            case "get_" + nameof(ISessionStore.Condition):
                return Condition;
            case nameof(ISessionStore.SendLetterAsync):
                Letters.Add((ulong)args![0]!);
                return new ValueTask<ulong>(1UL);
            case nameof(ISessionStore.ReadSessionAsync):
                return new ValueTask<SessionState>(new SessionState(1, AckedLetter: 1, IsDead: false, Exists: true));
            default:
                throw new NotSupportedException(targetMethod?.Name);
        }
    }
}

/// <summary>A session that is valid as long as a test says so.</summary>
internal sealed class FakeSession : ISiloSession
{
    public bool IsOver { get; set; }

    public ulong Id => 1;

    public bool IsValid(ulong session) => !IsOver && session == Id;

    public long? LineageOf(ulong session) => IsValid(session) ? 0 : null;
}
