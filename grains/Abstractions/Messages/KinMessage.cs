namespace VmoCluster.Messages;

/// <summary>What one VMO of a family tells another. Each may be told twice: the second time changes nothing.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Kin")]
public abstract record KinMessage
{
    /// <summary>Whether a VMO that is gone is as good as one that was told; else it is NotFound.</summary>
    public virtual bool IsToldWhenGone => true;
}

/// <summary>A VMO elsewhere looks through no layer of the one told any more; it may still be a child.</summary>
/// <param name="User">The VMO.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.UserGone")]
public sealed record UserGone([property: Id(0)] Koid User) : KinMessage;

/// <summary>
/// Who is closed has handed the one told, a snapshot, to its own parent, which knows of it: it reports there from now on, if it does not report to
/// one still nearer to the root. ShouldWait when it is dying and has not been reported to be gone: what it reports is on its way.
/// </summary>
/// <param name="Parent">The parent of the closed one; None if that was a root.</param>
/// <param name="Generation">The parent's; 0 for None.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.Reparent")]
public sealed record Reparent([property: Id(0)] Koid Parent, [property: Id(1)] uint Generation) : KinMessage;

/// <summary>Nobody but the one told looks through a layer of a closed VMO any more: it may take what it shows into its own.</summary>
/// <param name="Home">The closed VMO.</param>
/// <param name="Layer">The number of its highest layer that stands.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.Alone")]
public sealed record Alone([property: Id(0)] Koid Home, [property: Id(1)] uint Layer) : KinMessage;

/// <summary>A snapshot is closed while it has children: they are the told one's from now on, and it is not (HEAD's re-homing).</summary>
/// <param name="Gone">The child that is closed.</param>
/// <param name="Children">Its children.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.Rehome")]
public sealed record Rehome([property: Id(0)] Koid Gone, [property: Id(1)] ulong[] Children) : KinMessage;

/// <summary>
/// Nothing that a slice or reference handed on before this term takes effect any more: what waits is refused, what comes late is not let in.
/// </summary>
/// <param name="Alias">The slice or reference.</param>
/// <param name="Term">The first term that is still heard.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.AliasFence")]
public sealed record AliasFence([property: Id(0)] Koid Alias, [property: Id(1)] AliasTerm Term) : KinMessage;

/// <summary>
/// VMOs are about to look through a frozen layer of the one told: they are among its users from now on, so that the layer stands, until it is
/// known what came of it. Newer pins of the same users in the same layer by the same asker take the place of older ones.
/// </summary>
/// <param name="Layer">The layer's number.</param>
/// <param name="Users">Who.</param>
/// <param name="Asker">Who knows what comes of it.</param>
/// <param name="Via">
/// A user of the layer through which they look at it so far. None: the layer is the highest frozen one, and the one told is not dying. Else NotFound.
/// </param>
/// <param name="Stamp">The asker's: the epoch of its owner, then a count. It rises.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.Pin")]
public sealed record Pin(
    [property: Id(0)] uint Layer, [property: Id(1)] KoidRange Users, [property: Id(2)] Koid Asker, [property: Id(3)] Koid Via, [property: Id(4)] ulong Stamp) : KinMessage
{
    /// <inheritdoc/>
    public override bool IsToldWhenGone => false;
}

/// <summary>
/// It is known what came of a pin: those kept are users of its layer for sure, the others are not. Nothing happens when the pin is not there any
/// more, or another has taken its place.
/// </summary>
/// <param name="Asker">The pin's.</param>
/// <param name="Stamp">The pin's.</param>
/// <param name="Layer">The layer's number; 0 for all that were pinned under the stamp.</param>
/// <param name="Kept">Who looks through it now.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.Unpin")]
public sealed record Unpin([property: Id(0)] Koid Asker, [property: Id(1)] ulong Stamp, [property: Id(2)] uint Layer, [property: Id(3)] KoidRange[] Kept) : KinMessage;

/// <summary>
/// A home asks what came of a pin. Ok: all of its users look through the layer. ShouldWait: it is not known yet. NotFound: nothing, now and for
/// ever.
/// </summary>
/// <param name="Home">The layer's home, who asks.</param>
/// <param name="Layer">The layer's number.</param>
/// <param name="Users">The lowest of the users, and how many they are.</param>
/// <param name="Stamp">The pin's.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.IsPinned")]
public sealed record IsPinned([property: Id(0)] Koid Home, [property: Id(1)] uint Layer, [property: Id(2)] KoidRange Users, [property: Id(3)] ulong Stamp) : KinMessage
{
    /// <inheritdoc/>
    public override bool IsToldWhenGone => false;
}
