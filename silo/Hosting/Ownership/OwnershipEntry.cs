using VmoCluster.Core.Store;

namespace VmoCluster.Hosting.Ownership;

/// <summary>
/// An activation in the silo's ownership table: asking for its VMO, or owning it, or told to give it up and not yet gone.
/// </summary>
internal sealed class OwnershipEntry(IOwningActivation activation)
{
    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _decided = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Owner _owner;
    private Task? _givenUp;

    public IOwningActivation Activation => activation;

    /// <summary>The owner written for this activation; default until then.</summary>
    public Owner Owner
    {
        get
        {
            lock (_gate)
            {
                return _owner;
            }
        }
    }

    /// <summary>Done when it is decided whether this activation owns the VMO.</summary>
    public Task Decided => _decided.Task;

    /// <summary>The activation owns the VMO, as far as the store goes.</summary>
    public void Own(Owner owner)
    {
        lock (_gate)
        {
            _owner = owner;
        }

        _decided.TrySetResult();
    }

    /// <summary>The activation does not own the VMO.</summary>
    public void Leave() => _decided.TrySetResult();

    /// <summary>Tells the activation to give up, once, however often and by whomever this is called; all wait for the same answer.</summary>
    public Task GiveUpAsync(string reason)
    {
        lock (_gate)
        {
            return _givenUp ??= activation.GiveUpAsync(reason);
        }
    }
}
