namespace VmoCluster.Messages;

/// <summary>What one VMO of a family tells another. Each may be told twice: the second time changes nothing.</summary>
[GenerateSerializer, Immutable, Alias("vmo.Kin")]
public abstract record KinMessage;

/// <summary>A child is gone, and looks through no layer of the one told any more.</summary>
/// <param name="Child">The child.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.Gone")]
public sealed record ChildGone([property: Id(0)] Koid Child) : KinMessage;

/// <summary>A VMO elsewhere looks through no layer of the one told any more; it may still be a child.</summary>
/// <param name="User">The VMO.</param>
[GenerateSerializer, Immutable, Alias("vmo.Kin.UserGone")]
public sealed record UserGone([property: Id(0)] Koid User) : KinMessage;

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
