namespace VmoCluster.Messages;

/// <summary>A call on one VMO that carries no pages. Each kind is one record, and is the core's input as it is.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call")]
public abstract record VmoCall([property: Id(0)] CallHead Head);

/// <summary>Size in bytes. No right needed.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.GetSize")]
public sealed record GetSizeCall(CallHead Head) : VmoCall(Head);

/// <summary>Sets the size, rounded up to pages. WRITE.</summary>
/// <param name="Head">The head.</param>
/// <param name="Size">Bytes asked for.</param>
[GenerateSerializer, Immutable, Alias("vmo.Call.SetSize")]
public sealed record SetSizeCall(CallHead Head, [property: Id(0)] ulong Size) : VmoCall(Head);

/// <summary>COMMIT, DECOMMIT, ZERO, LOOKUP, and those that answer NotSupported.</summary>
/// <param name="Head">The head.</param>
/// <param name="Op">Any number; unknown ones are InvalidArgs.</param>
/// <param name="Range">Bytes.</param>
[GenerateSerializer, Immutable, Alias("vmo.Call.OpRange")]
public sealed record OpRangeCall(CallHead Head, [property: Id(0)] VmoOp Op, [property: Id(1)] ByteRange Range) : VmoCall(Head);

/// <summary>The name. GET_PROPERTY.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.GetName")]
public sealed record GetNameCall(CallHead Head) : VmoCall(Head);

/// <summary>Sets the name, cut to 31 bytes of UTF-8 at a character's border. SET_PROPERTY.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.SetName")]
public sealed record SetNameCall(CallHead Head, [property: Id(0)] string Name) : VmoCall(Head);

/// <summary>The content size in bytes. GET_PROPERTY.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.GetContentSize")]
public sealed record GetContentSizeCall(CallHead Head) : VmoCall(Head);

/// <summary>Sets the content size, any number of bytes. SET_PROPERTY and WRITE.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.SetContentSize")]
public sealed record SetContentSizeCall(CallHead Head, [property: Id(0)] ulong Size) : VmoCall(Head);

/// <summary>get_info.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.Info")]
public sealed record InfoCall(CallHead Head, [property: Id(0)] InfoTopic Topic) : VmoCall(Head);

/// <summary>Clears, then sets user signals in one step. SIGNAL.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.Signal")]
public sealed record SignalCall(CallHead Head, [property: Id(0)] VmoSignals Clear, [property: Id(1)] VmoSignals Set) : VmoCall(Head);

/// <summary>Answers when any bit of the mask is set, or TimedOut with the observed set after PollMs. WAIT.</summary>
/// <param name="Head">The head.</param>
/// <param name="Mask">Any bits.</param>
/// <param name="PollMs">Milliseconds to stay, at most <see cref="Limits.WaitPollMs"/>; 0 asks once.</param>
[GenerateSerializer, Immutable, Alias("vmo.Call.Wait")]
public sealed record WaitCall(CallHead Head, [property: Id(0)] VmoSignals Mask, [property: Id(1)] int PollMs) : VmoCall(Head);

/// <summary>A new handle with these rights or fewer. DUPLICATE.</summary>
/// <param name="Head">The head.</param>
/// <param name="NewSecret">The new handle's secret, made by the caller, so that a repeat gives the same handle.</param>
/// <param name="Rights">A subset, or SameRights.</param>
/// <param name="ExpiresMs">Unix milliseconds at which it ends, 0 for never; never later than the source's.</param>
/// <param name="Range">Bytes it may touch, or null for the source's; only narrower.</param>
[GenerateSerializer, Immutable, Alias("vmo.Call.Duplicate")]
public sealed record DuplicateCall(
    CallHead Head,
    [property: Id(0)] HandleSecret NewSecret,
    [property: Id(1)] VmoRights Rights,
    [property: Id(2)] long ExpiresMs,
    [property: Id(3)] ByteRange? Range) : VmoCall(Head);

/// <summary>A new handle in place of this one, which ends in every case but BadHandle. No right needed.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.Replace")]
public sealed record ReplaceCall(CallHead Head, [property: Id(0)] HandleSecret NewSecret, [property: Id(1)] VmoRights Rights) : VmoCall(Head);

/// <summary>Ends this handle.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.Close")]
public sealed record CloseCall(CallHead Head) : VmoCall(Head);

/// <summary>Ends this handle and all derived from it.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.Revoke")]
public sealed record RevokeCall(CallHead Head) : VmoCall(Head);

/// <summary>Moves this handle's expiry. It may come closer at will, and go later up to the expiry of the handle it was derived from.</summary>
/// <param name="Head">The head.</param>
/// <param name="ExpiresMs">Unix milliseconds, 0 for never.</param>
[GenerateSerializer, Immutable, Alias("vmo.Call.Renew")]
public sealed record RenewCall(CallHead Head, [property: Id(0)] long ExpiresMs) : VmoCall(Head);

/// <summary>The receiver of a new handle says that it has it; unconfirmed handles are closed after a minute.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Call.Confirm")]
public sealed record ConfirmCall(CallHead Head) : VmoCall(Head);
