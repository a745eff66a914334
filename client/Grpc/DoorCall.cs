namespace VmoCluster.GrpcDoor;

/// <summary>A call's name in metrics and spans, made once.</summary>
internal sealed class DoorCall(string name)
{
    public string Name { get; } = name;
    public string SpanName { get; } = "vmo.door/" + name;

    public static readonly DoorCall Create = new("create");
    public static readonly DoorCall Read = new("read");
    public static readonly DoorCall ReadPiece = new("read_piece");
    public static readonly DoorCall ReadRange = new("read_range");
    public static readonly DoorCall Write = new("write");
    public static readonly DoorCall WritePiece = new("write_piece");
    public static readonly DoorCall WriteRange = new("write_range");
    public static readonly DoorCall GetSize = new("get_size");
    public static readonly DoorCall SetSize = new("set_size");
    public static readonly DoorCall OpRange = new("op_range");
    public static readonly DoorCall GetName = new("get_name");
    public static readonly DoorCall SetName = new("set_name");
    public static readonly DoorCall GetContentSize = new("get_content_size");
    public static readonly DoorCall SetContentSize = new("set_content_size");
    public static readonly DoorCall GetInfo = new("get_info");
    public static readonly DoorCall Signal = new("signal");
    public static readonly DoorCall Wait = new("wait");
    public static readonly DoorCall Clone = new("clone");
    public static readonly DoorCall Tree = new("tree");
    public static readonly DoorCall Explain = new("explain");
    public static readonly DoorCall Scrub = new("scrub");
    public static readonly DoorCall List = new("list");
    public static readonly DoorCall Version = new("version");
    public static readonly DoorCall Session = new("session");
    public static readonly DoorCall Duplicate = new("duplicate");
    public static readonly DoorCall Replace = new("replace");
    public static readonly DoorCall Close = new("close");
    public static readonly DoorCall CloseMany = new("close_many");
    public static readonly DoorCall Revoke = new("revoke");
    public static readonly DoorCall Renew = new("renew");
    public static readonly DoorCall Confirm = new("confirm");
    public static readonly DoorCall OperatorHandle = new("operator_handle");
}
