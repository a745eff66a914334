using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>The names under which calls are measured: few, and those of the client and the doors.</summary>
public static class CallNames
{
    public static string Of(VmoCall call) => call switch
    {
        GetSizeCall => "get_size",
        SetSizeCall => "set_size",
        OpRangeCall op => op.Op switch
        {
            VmoOp.Commit => "commit",
            VmoOp.Decommit => "decommit",
            VmoOp.Zero => "zero",
            VmoOp.Lookup => "lookup",
            _ => "op",
        },
        GetNameCall => "get_name",
        SetNameCall => "set_name",
        GetContentSizeCall => "get_content_size",
        SetContentSizeCall => "set_content_size",
        InfoCall => "get_info",
        SignalCall => "signal",
        WaitCall => "wait",
        DuplicateCall => "duplicate",
        ReplaceCall => "replace",
        CloseCall => "close",
        RevokeCall => "revoke",
        RenewCall => "renew",
        ConfirmCall => "confirm",
        CloneCall => "clone",
        TreeCall => "tree",
        ExplainCall => "explain",
        OperatorHandleCall => "operator_handle",
        _ => "other",
    };
}
