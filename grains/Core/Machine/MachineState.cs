using VmoCluster.Core.Contents;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>What the parts of a machine share: the VMO, and the step they are in.</summary>
internal sealed class MachineState(VmoRecord record, LayerHead layer, Owner owner, IPageCache cache)
{
    public VmoRecord Record { get; } = record;
    public LayerHead Layer { get; } = layer;
    public Owner Owner { get; } = owner;
    public IPageCache Cache { get; } = cache;

    /// <summary>The time of this step.</summary>
    public Instant Now { get; set; }

    /// <summary>Where this step's effects go.</summary>
    public List<VmoEffect> Effects { get; set; } = [];

    /// <summary>Nothing more is decided by this machine.</summary>
    public bool IsEnded { get; set; }
}
