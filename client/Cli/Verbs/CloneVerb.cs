using System.CommandLine;
using VmoCluster.Cli.Output;
using VmoCluster.Cli.Parsing;
using VmoCluster.Client;
using VmoCluster.Messages;

namespace VmoCluster.Cli.Verbs;

/// <summary>clone H [--kind live|snapshot|slice|reference] [--offset N] [--size N] [--fixed] [--no-write] [--count N] [--name S] [--zero OFF,LEN]... [--options N]</summary>
internal sealed class CloneVerb : Verb
{
    private readonly Option<VmoKind?> _kind = OptionKinds.Kind("--kind", "how it hangs on H; live if left out");
    private readonly Option<ulong?> _offset = OptionKinds.MaybeNumber("--offset", "where in H it begins, whole pages; 0 if left out");
    private readonly Option<ulong?> _size = OptionKinds.MaybeNumber("--size", "bytes, rounded up to whole pages; H's size less the offset if left out");
    private readonly Option<bool> _fixed = OptionKinds.Flag("--fixed", "its size can never be changed");
    private readonly Option<bool> _noWrite = OptionKinds.Flag("--no-write", "its handle may not write");
    private readonly Option<ulong?> _count = OptionKinds.MaybeNumber("--count", $"how many, 1 to {Limits.CloneCountMax}, all or none; 1 if left out");
    private readonly Option<string?> _name = OptionKinds.Text("--name", "S", "its name, of several S-0, S-1 and so on; H's if left out");
    private readonly Option<IReadOnlyList<ByteRange>> _zero = OptionKinds.Ranges("--zero", "bytes that it must not show: they read zero; may be given again");
    private readonly Option<ulong?> _options = OptionKinds.MaybeNumber("--options", "raw bits of the seed's call instead of a kind: 1 copy-on-write, 2 fixed");

    public CloneVerb()
        : base("clone", VerbGroup.Objects, "make children of a VMO at once, whatever its size, and print their handles")
    {
        Form = "[H]";
        Details = "live       shows what H shows now and later, page by page, until it is written itself; H never sees that\n" +
            "snapshot   what H shows now; from then on neither sees the other's writes\n" +
            "slice      a part of the same bytes; of a VMO of fixed size\n" +
            "reference  all of the same bytes under another name\n" +
            "A clone stores nothing until it is written to. H must allow duplicate and read.";
        Examples =
        [
            "C=$(vmo clone $H --kind snapshot --name before-upgrade)",
            "vmo clone $BASE --kind snapshot --count 1000 --name worker --zero 64KiB,4KiB --json",
            "vmo clone $H --offset 1MiB --size 64KiB --no-write",
        ];
        TakeWords(1);
        foreach (Option option in (Option[])[_kind, _offset, _size, _fixed, _noWrite, _count, _name, _zero, _options])
            Add(option);
    }

    public override async Task<int> RunAsync(Run run, CancellationToken cancellation)
    {
        var kind = run.Get(_kind) ?? VmoKind.Live;
        if (run.Get(_options) is not null && (kind != VmoKind.Live || run.Get(_fixed) || run.Get(_noWrite)))
            throw new UsageException("--options says by itself what is made: a live clone, 3 for one of fixed size; leave --kind, --fixed and --no-write out");
        var vmo = await run.VmoAsync(this, cancellation);
        var count = run.Get(_count) ?? 1;
        if (count is 0 or > Limits.CloneCountMax)
            throw new VmoException(VmoStatus.OutOfRange, $"{count} clones, it must be 1 to {Limits.CloneCountMax}");
        var spec = await SpecAsync(run, vmo, kind, cancellation);
        var clones = await vmo.CloneManyAsync((int)count, spec, cancellation);

        // A reference is as large as its parent was in that moment: only it knows.
        var size = kind == VmoKind.Reference && run.IsJson ? await clones[0].GetSizeAsync(cancellation) : Pages.RoundUp(spec.Size);
        Answer(run, clones, kind, size);
        return ExitCodes.Ok;
    }

    private async Task<CloneSpec> SpecAsync(Run run, Vmo vmo, VmoKind kind, CancellationToken cancellation)
    {
        var offset = run.Get(_offset) ?? 0;
        var size = run.Get(_size) ?? 0;
        if (run.Get(_size) is null && kind != VmoKind.Reference)
        {
            var most = await vmo.GetSizeAsync(cancellation);
            size = most > offset ? most - offset : 0;
        }

        return new()
        {
            Kind = kind,
            SeedOptions = run.Get(_options) is { } bits ? Bits(bits) : null,
            Offset = offset,
            Size = size,
            NonResizable = run.Get(_fixed),
            NoWrite = run.Get(_noWrite),
            Name = run.Get(_name),
            Zero = run.Get(_zero) is { Count: > 0 } zero ? [.. zero] : null,
        };
    }

    private static uint Bits(ulong bits) => bits <= uint.MaxValue
        ? (uint)bits
        : throw new VmoException(VmoStatus.InvalidArgs, $"option bits 0x{bits:x}: there are 32, and of them only 1 and 2 mean something");

    private static void Answer(Run run, IReadOnlyList<Vmo> clones, VmoKind kind, ulong size) => run.Answer(
        json =>
        {
            json.WriteStartArray("handles");
            foreach (var clone in clones)
                json.WriteStringValue(clone.Handle.Reveal());
            json.WriteEndArray();
            json.WriteStartArray("koids");
            foreach (var clone in clones)
                json.WriteNumberValue(clone.Koid.Value);
            json.WriteEndArray();
            json.WriteString("kind", InfoVerb.KindName(kind));
            json.WriteNumber("size", size);
            json.WriteRights("rights", clones[0].Rights ?? VmoRights.None);
        },
        string.Join('\n', clones.Select(clone => clone.Handle.Reveal())));
}
