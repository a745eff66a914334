namespace VmoCluster.GrpcDoor;

/// <summary>A call's name in metrics and spans, made once.</summary>
internal sealed class DoorCall(string name)
{
    public string Name { get; } = name;
    public string SpanName { get; } = "vmo.door/" + name;

    /// <summary>It stays for as long as its caller likes.</summary>
    public bool Stays { get; private init; }

    /// <summary>It gives something back, or (an op on a range) may.</summary>
    public bool IsPreferred { get; private init; }

    /// <summary>Bytes of pages it holds while it is under way, beyond those of its message.</summary>
    public long Bytes { get; private init; }

    public static readonly DoorCall Create = new("create");
    public static readonly DoorCall Read = new("read");
    public static readonly DoorCall ReadPiece = new("read_piece");
    public static readonly DoorCall ReadRange = new("read_range") { Stays = true, Bytes = 3 * Limits.CallBytesMax };
    public static readonly DoorCall Write = new("write");
    public static readonly DoorCall WritePiece = new("write_piece");
    public static readonly DoorCall WriteRange = new("write_range") { Stays = true, Bytes = 3 * Limits.CallBytesMax };
    public static readonly DoorCall GetSize = new("get_size");
    public static readonly DoorCall SetSize = new("set_size");
    public static readonly DoorCall OpRange = new("op_range") { IsPreferred = true };
    public static readonly DoorCall GetName = new("get_name");
    public static readonly DoorCall SetName = new("set_name");
    public static readonly DoorCall GetContentSize = new("get_content_size");
    public static readonly DoorCall SetContentSize = new("set_content_size");
    public static readonly DoorCall GetInfo = new("get_info");
    public static readonly DoorCall Signal = new("signal");
    public static readonly DoorCall Wait = new("wait") { Stays = true };
    public static readonly DoorCall Clone = new("clone");
    public static readonly DoorCall Tree = new("tree");
    public static readonly DoorCall Explain = new("explain");
    public static readonly DoorCall Scrub = new("scrub");
    public static readonly DoorCall List = new("list");
    public static readonly DoorCall Version = new("version");
    public static readonly DoorCall Session = new("session") { Stays = true };
    public static readonly DoorCall Duplicate = new("duplicate");
    public static readonly DoorCall Replace = new("replace");
    public static readonly DoorCall Close = new("close") { IsPreferred = true };
    public static readonly DoorCall CloseMany = new("close_many") { IsPreferred = true };
    public static readonly DoorCall Revoke = new("revoke") { IsPreferred = true };
    public static readonly DoorCall Renew = new("renew");
    public static readonly DoorCall Confirm = new("confirm");
    public static readonly DoorCall OperatorHandle = new("operator_handle");

    private static readonly DoorCall Unknown = new("unknown");

    // By the last part of the path. A call that is not in here has no method at the door.
    private static readonly Dictionary<string, DoorCall> ByMethod = new(StringComparer.Ordinal)
    {
        ["Create"] = Create, ["Read"] = Read, ["ReadPiece"] = ReadPiece, ["ReadRange"] = ReadRange, ["Write"] = Write, ["WritePiece"] = WritePiece,
        ["WriteRange"] = WriteRange, ["GetSize"] = GetSize, ["SetSize"] = SetSize, ["OpRange"] = OpRange, ["GetName"] = GetName, ["SetName"] = SetName,
        ["GetContentSize"] = GetContentSize, ["SetContentSize"] = SetContentSize, ["GetInfo"] = GetInfo, ["Signal"] = Signal, ["Wait"] = Wait,
        ["Clone"] = Clone, ["Tree"] = Tree, ["Explain"] = Explain, ["Scrub"] = Scrub, ["List"] = List, ["GetServerVersion"] = Version,
        ["Session"] = Session, ["Duplicate"] = Duplicate, ["Replace"] = Replace, ["Close"] = Close, ["CloseMany"] = CloseMany, ["Revoke"] = Revoke,
        ["Renew"] = Renew, ["Confirm"] = Confirm, ["OperatorHandle"] = OperatorHandle,
    };

    /// <summary>The call that a request's path asks for.</summary>
    public static DoorCall OfPath(string? path) =>
        ByMethod.GetValueOrDefault(path?[(path.LastIndexOf('/') + 1)..] ?? "", Unknown);
}
