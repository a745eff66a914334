using VmoCluster.Core.Machine;
using VmoCluster.Messages;

namespace VmoCluster.Core.Tests.Sim;

/// <summary>Whoever waits in a simulation.</summary>
public sealed class SimTicket : Ticket
{
    private object? _reply;

    public object? Reply
    {
        get => _reply;
        set
        {
            _reply = value;
            if (value is not null)
                Replied?.Invoke(value);
        }
    }

    public Action<object>? Replied { get; set; }

    /// <summary>What it is told when the one asked dies.</summary>
    public object Lost { get; init; } = VmoReply.Fail(VmoStatus.Io, "lost");

    /// <summary>What it is told when there is nobody to ask.</summary>
    public object Gone { get; init; } = VmoReply.Fail(VmoStatus.BadHandle, "gone");
}
