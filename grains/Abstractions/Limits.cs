namespace VmoCluster;

/// <summary>
/// Every bound of the cluster, in one home. All silos of a cluster must agree on them; <see cref="Fingerprint"/> is how they find out.
/// </summary>
public static class Limits
{
    /// <summary>Bytes of a page.</summary>
    public const int PageBytes = 4096;

    /// <summary>Pages of a leaf, the unit in which slots are stored: one hash field, 64 KiB of address space, about 300 bytes.</summary>
    public const int LeafPages = 16;

    /// <summary>Pages of an extent, the unit in which slots are loaded and delegated: 1 MiB of address space.</summary>
    public const int ExtentPages = 256;

    /// <summary>Leaves of an extent.</summary>
    public const int ExtentLeaves = ExtentPages / LeafPages;

    /// <summary>The largest size of a VMO in bytes: 2^64 - 4096.</summary>
    public const ulong SizeBytesMax = ulong.MaxValue - PageBytes + 1;

    /// <summary>Bytes of one read or write that is still one commit and one read version.</summary>
    public const int CallBytesMax = 1 << 20;

    /// <summary>Bytes of pages in one message. Larger bodies hold up the messages behind them on a connection.</summary>
    public const int MessageBytesMax = 256 << 10;

    /// <summary>Bytes of small reads or writes that a client joins into one message: below the large object heap's threshold.</summary>
    public const int JoinBytesMax = 64 << 10;

    /// <summary>Calls joined in one message.</summary>
    public const int JoinCallsMax = 64;

    /// <summary>Runs of one layer. Each is looked at for each page resolved.</summary>
    public const int RunsPerLayerMax = 64;

    /// <summary>Pages of one blob: 63 and a header just fit the allocator's 256 KiB class.</summary>
    public const int BlobPagesMax = 63;

    /// <summary>Handles of one VMO, closed ones that still have descendants included. About 150 bytes each in the record.</summary>
    public const int HandlesPerVmoMax = 16_384;

    /// <summary>Calls waiting in one VMO's queue of changes.</summary>
    public const int QueueCallsPerVmoMax = 4096;

    /// <summary>Bytes waiting in one VMO's queue of changes, pieces of unfinished calls included.</summary>
    public const int QueueBytesPerVmoMax = 32 << 20;

    /// <summary>Bytes of pages in one commit; its blobs travel on one connection with it.</summary>
    public const int CommitBytesMax = 4 << 20;

    /// <summary>Leaves one commit may change; each is a field of one script call.</summary>
    public const int CommitLeavesMax = 1024;

    /// <summary>Waits pending on one VMO.</summary>
    public const int WaitsPerVmoMax = 4096;

    /// <summary>Items of one wait_many (E18).</summary>
    public const int WaitItemsMax = 16;

    /// <summary>Bytes of a name, without its NUL (E18).</summary>
    public const int NameBytesMax = 31;

    /// <summary>Labels of a VMO.</summary>
    public const int LabelsMax = 32;

    /// <summary>Bytes of a label's key.</summary>
    public const int LabelKeyBytesMax = 63;

    /// <summary>Bytes of a label's value.</summary>
    public const int LabelValueBytesMax = 255;

    /// <summary>Runs of one LOOKUP answer; a longer answer is asked on from where it ended.</summary>
    public const int LookupRunsMax = 4096;

    /// <summary>Children of one clone call. Their records are some 700 bytes each, written before the call is answered.</summary>
    public const int CloneCountMax = 10_000;

    /// <summary>Children of one VMO. Their koids are ranges in one field of the record.</summary>
    public const int ChildrenPerVmoMax = 1_000_000;

    /// <summary>
    /// Windows on frozen layers of all children of one clone call: each snapshot of a live clone has one for every level that shows something.
    /// Some 12 bytes each in the child's layer, and where neighbours differ in the parent's record.
    /// </summary>
    public const int CloneWindowsMax = 200_000;

    /// <summary>Live ancestors over which a snapshot can be made. Each is asked in turn, and is a window of the snapshot.</summary>
    public const int LiveLevelsMax = 256;

    /// <summary>Milliseconds for which an ancestor keeps a change waiting so that a snapshot of a live clone comes about under a hot writer.</summary>
    public const int MomentHoldMs = 500;

    /// <summary>Pins of one VMO's frozen layers that wait to be confirmed. About 25 bytes each in the record.</summary>
    public const int PinsPerVmoMax = 4096;

    /// <summary>Ranges a child is told not to show, of one clone call.</summary>
    public const int CloneZeroRangesMax = 32;

    /// <summary>Nodes of one tree answer; a larger family is asked on.</summary>
    public const int TreeNodesMax = 1000;

    /// <summary>Handles of one close_many.</summary>
    public const int CloseManyMax = 1024;

    /// <summary>Milliseconds a call may take when its caller says nothing.</summary>
    public const int DeadlineDefaultMs = 15_000;

    /// <summary>The longest deadline in milliseconds. Waits are made of several calls.</summary>
    public const int DeadlineMaxMs = 60_000;

    /// <summary>Milliseconds for which an answered request id is known: four of the longest deadlines.</summary>
    public const int RequestKeepMs = 4 * DeadlineMaxMs;

    /// <summary>Milliseconds one waiting call stays at the VMO before the waiter asks again.</summary>
    public const int WaitPollMs = 5_000;

    /// <summary>Milliseconds in which a new handle must be confirmed by its receiver.</summary>
    public const int ConfirmWithinMs = 60_000;

    /// <summary>Milliseconds for which a destroyed VMO's tombstone stands.</summary>
    public const int TombstoneKeepMs = 600_000;

    /// <summary>Koids a silo takes from the store at once.</summary>
    public const int KoidBlock = 64;

    /// <summary>Shards of the handle registry.</summary>
    public const int RegistryShards = 64;

    /// <summary>Milliseconds between two renewals of a silo's session.</summary>
    public const int SessionRenewMs = 1_000;

    /// <summary>Milliseconds a silo's lease runs on its own clock, from before its last renewal was sent. A killed silo's VMOs rest that long.</summary>
    public const int SessionLeaseMs = 4_000;

    /// <summary>Milliseconds between two looks at the other silos' sessions: how much later than it may be a dead one is found, twice at most.</summary>
    public const int SessionLookMs = 250;

    /// <summary>
    /// Milliseconds beyond the lease for which others must have seen a session's counter unmoved before they mark it dead. It pays for clocks
    /// that run up to 6 % apart and for nothing else: a lease runs from before its renewal was sent, and a counter is seen after that has come.
    /// </summary>
    public const int SessionMarginMs = 250;

    /// <summary>What silos of one cluster compare: every limit that the stored layout or the protocol depends on.</summary>
    public static string Fingerprint =>
        $"page={PageBytes},leaf={LeafPages},extent={ExtentPages},call={CallBytesMax},message={MessageBytesMax},runs={RunsPerLayerMax}," +
        $"blob={BlobPagesMax},handles={HandlesPerVmoMax},deadline={DeadlineMaxMs},keep={RequestKeepMs},shards={RegistryShards}," +
        $"lease={SessionLeaseMs},margin={SessionMarginMs}";
}
