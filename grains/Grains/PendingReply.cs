using System.Diagnostics;
using VmoCluster.Core.Machine;

namespace VmoCluster.Grains;

/// <summary>A ticket of this shell: whoever waits for one reply.</summary>
internal abstract class PendingReply : Ticket
{
    /// <summary>The span of the call; none when it is not traced.</summary>
    public ActivityContext Span { get; set; }

    /// <summary>The reply the core has given.</summary>
    public abstract void Set(object reply);

    /// <summary>No reply will come: this is why.</summary>
    public abstract void Fail(Outcome outcome);
}

/// <summary>A ticket for one kind of reply.</summary>
/// <param name="fail">Makes the reply that says why there is none.</param>
internal sealed class PendingReply<T>(Func<Outcome, T> fail) : PendingReply
{
    // Continuations must not run inside the machine's step.
    private readonly TaskCompletionSource<T> _source = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<T> Task => _source.Task;

    public override void Set(object reply) => _source.TrySetResult((T)reply);

    public override void Fail(Outcome outcome) => _source.TrySetResult(fail(outcome));
}
