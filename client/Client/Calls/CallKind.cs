namespace VmoCluster.Client;

/// <summary>A call's name in metrics and spans, made once, and whether it changes anything: then it carries a request id.</summary>
internal sealed class CallKind(string name, bool changes)
{
    public string Name { get; } = name;
    public string SpanName { get; } = "vmo.client/" + name;
    public bool Changes { get; } = changes;

    public static readonly CallKind Create = new("create", true);
    public static readonly CallKind Read = new("read", false);
    public static readonly CallKind Write = new("write", true);
    public static readonly CallKind GetSize = new("get_size", false);
    public static readonly CallKind SetSize = new("set_size", true);
    public static readonly CallKind OpRange = new("op_range", true);
    public static readonly CallKind Lookup = new("lookup", false);
    public static readonly CallKind GetName = new("get_name", false);
    public static readonly CallKind SetName = new("set_name", true);
    public static readonly CallKind GetContentSize = new("get_content_size", false);
    public static readonly CallKind SetContentSize = new("set_content_size", true);
    public static readonly CallKind GetInfo = new("get_info", false);
    public static readonly CallKind Signal = new("signal", true);
    public static readonly CallKind Wait = new("wait", false);
    public static readonly CallKind Duplicate = new("duplicate", true);
    public static readonly CallKind Replace = new("replace", true);
    public static readonly CallKind Close = new("close", true);
    public static readonly CallKind Revoke = new("revoke", true);
    public static readonly CallKind Renew = new("renew", true);
    public static readonly CallKind Confirm = new("confirm", false);
    public static readonly CallKind OperatorHandle = new("operator_handle", true);
    public static readonly CallKind Clone = new("clone", true);
    public static readonly CallKind Tree = new("tree", false);
    public static readonly CallKind Explain = new("explain", false);
    public static readonly CallKind Scrub = new("scrub", false);
    public static readonly CallKind List = new("list", false);
    public static readonly CallKind Version = new("version", false);
}
