using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>
/// Makes clones through one handle, any number in one call. Their handles come from a seed made here, so that a repeat gives the same ones
/// and an answer of any count is a few bytes.
/// </summary>
internal sealed class Cloner(CallLoop calls, Confirmations confirmations, VmoHandle parent, Caller caller, TimeSpan deadline)
{
    /// <summary>A child of its parent's size less the offset, unless a size is given. A reference is the whole and is asked for with 0.</summary>
    public static async Task<CloneSpec> SpecAsync(
        VmoKind kind, ulong offset, ulong? size, VmoCloneOptions? options, Func<CancellationToken, Task<ulong>> parentSize, CancellationToken cancellation)
    {
        options ??= new();
        var bytes = size ?? 0;
        if (size is null && kind != VmoKind.Reference)
        {
            var most = await parentSize(cancellation).ConfigureAwait(false);
            bytes = most > offset ? most - offset : 0;
        }

        return new()
        {
            Kind = kind,
            Offset = offset,
            Size = bytes,
            NonResizable = options.NonResizable,
            NoWrite = options.NoWrite,
            Rights = options.Rights,
            Name = options.Name,
            Zero = options.Zero is { Count: > 0 } zero ? [.. zero] : null,
        };
    }

    /// <summary>The clones in order, all or none. One spec is for all of them, else there is one for each. Some of the deadline may be spent already.</summary>
    public async Task<IReadOnlyList<Vmo>> CloneAsync(CloneSpec[] specs, int count, CancellationToken cancellation, TimeSpan spent = default)
    {
        var left = deadline - spent > TimeSpan.FromMilliseconds(1) ? deadline - spent : TimeSpan.FromMilliseconds(1);
        if (count is < 1 or > Limits.CloneCountMax)
            throw new VmoException(VmoStatus.OutOfRange, $"{count} clones in one call, it must be 1 to {Limits.CloneCountMax}");
        foreach (var spec in specs)
        {
            if (spec.Name is { } name)
                VmoClient.CheckText(name, "name");
        }

        // A single handle is confirmed like any other. For many that would be as many calls: whoever asks for them answers for them.
        var (seed, isConfirmed) = (HandleSecret.Create(), count > 1);
        var reply = await calls.RunAsync(
            CallKind.Clone, parent.Koid, parent.Secret, caller, left, calls.Options.AttemptTimeout,
            (head, stop) => calls.Transport.CallAsync(parent.Koid, new CloneCall(head, specs, count, seed, isConfirmed), stop),
            static reply => reply.Outcome,
            cancellation).ConfigureAwait(false);
        reply.Outcome.ThrowIfFailed();

        // The answer tells one handle's rights; those of differently made ones are not known.
        VmoRights? rights = specs.All(spec => GivesAsMuch(spec, specs[0])) ? reply.Rights : null;
        var clones = new Vmo[count];
        for (var i = 0; i < count; i++)
        {
            var handle = new VmoHandle(new(reply.Koid.Value + (ulong)i), seed.Child(i));
            if (!isConfirmed)
                confirmations.Confirm(handle, caller);
            clones[i] = new(calls, confirmations, handle, rights, caller, deadline);
        }

        return clones;
    }

    private static bool GivesAsMuch(CloneSpec a, CloneSpec b) =>
        (a.Kind, a.SeedOptions, a.NoWrite, a.Rights) == (b.Kind, b.SeedOptions, b.NoWrite, b.Rights);
}
