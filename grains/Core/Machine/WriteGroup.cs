using VmoCluster.Messages;

namespace VmoCluster.Core.Machine;

/// <summary>One message of writes that waits until each of its writes has an outcome.</summary>
internal sealed class WriteGroup(Ticket ticket, int count)
{
    private Outcome[]? _outcomes;
    private readonly int _items = count;
    private int _left = count;
    private ulong _version;
    private bool _isFromMemory;

    /// <summary>Who sent the message.</summary>
    public Ticket Ticket { get; } = ticket;

    public bool Settle(int item, Outcome outcome, ulong version, bool fromMemory)
    {
        _isFromMemory |= fromMemory;
        if (!outcome.IsOk)
            (_outcomes ??= new Outcome[_items])[item] = outcome;
        _version = Math.Max(_version, version);
        return --_left == 0;
    }

    // One write of the message that was answered from memory makes the whole answer one that needs the lease.
    public Answer ToAnswer() => new(Ticket, new WriteReplies { Outcomes = _outcomes, Version = _version }, _isFromMemory);
}
