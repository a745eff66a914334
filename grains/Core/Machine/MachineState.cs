using VmoCluster.Core.Contents;
using VmoCluster.Core.Record;
using VmoCluster.Core.Store;

namespace VmoCluster.Core.Machine;

/// <summary>What the parts of a machine share: the VMO, and the step they are in.</summary>
internal sealed class MachineState
{
    public MachineState(VmoRecord record, LayerHead layer, Owner owner, SiloMemory memory)
    {
        (Record, Layer, Owner, Memory) = (record, layer, owner, memory);
        Sight = new(this);
    }

    public VmoRecord Record { get; }

    /// <summary>The top layer: another one after each freeze.</summary>
    public LayerHead Layer { get; set; }
    public Owner Owner { get; }
    public SiloMemory Memory { get; }
    public IPageCache Cache => Memory.Pages;

    /// <summary>What pages show, through all that lies under the top.</summary>
    public Sight Sight { get; }

    /// <summary>
    /// The counter of the next blob that is written into a frozen layer. From half the numbers on: below are those a top was given before it was frozen.
    /// </summary>
    public uint NextFoldBlob { get; set; } = 1u << 31;

    /// <summary>The time of this step.</summary>
    public Instant Now { get; set; }

    /// <summary>Where this step's effects go.</summary>
    public List<VmoEffect> Effects { get; set; } = [];

    /// <summary>Nothing more is decided by this machine.</summary>
    public bool IsEnded { get; set; }
}
