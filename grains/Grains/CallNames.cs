using VmoCluster.Messages;

namespace VmoCluster.Grains;

/// <summary>The names under which calls are measured: few, and the same everywhere.</summary>
public static class CallNames
{
    public static string Of(VmoCall call) => call switch
    {
        GetSizeCall => "get-size",
        SetSizeCall => "set-size",
        OpRangeCall op => op.Op switch
        {
            VmoOp.Commit => "commit",
            VmoOp.Decommit => "decommit",
            VmoOp.Zero => "zero",
            VmoOp.Lookup => "lookup",
            _ => "op",
        },
        GetNameCall => "get-name",
        SetNameCall => "set-name",
        GetContentSizeCall => "get-content-size",
        SetContentSizeCall => "set-content-size",
        InfoCall => "info",
        SignalCall => "signal",
        WaitCall => "wait",
        DuplicateCall => "duplicate",
        ReplaceCall => "replace",
        CloseCall => "close",
        RevokeCall => "revoke",
        RenewCall => "renew",
        ConfirmCall => "confirm",
        OperatorHandleCall => "operator-handle",
        _ => "other",
    };
}
