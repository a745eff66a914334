using VmoCluster.Fsx.Ops;
using VmoCluster.Fsx.Targets;

namespace VmoCluster.Fsx.Tests;

/// <summary>A target that is wrong on purpose is found out, by a script of a few lines that fails again when it is played.</summary>
public sealed class ShrinkerTests
{
    [Fact]
    public Task A_decommit_that_does_nothing_in_a_clone_is_found_by_a_script_of_a_few_lines() => IsFoundAsync(script => new Forgetful(script.Seed, OpKind.Decommit), OpKind.Decommit);

    [Fact]
    public Task A_revoke_that_ends_nothing_is_found_by_a_script_of_a_few_lines() => IsFoundAsync(script => new Forgetful(script.Seed, OpKind.Revoke), OpKind.Revoke);

    [Fact]
    public Task A_read_that_shows_one_wrong_byte_where_two_extents_meet_is_found_by_a_script_of_a_few_lines() => IsFoundAsync(script => new Slanted(script.Seed));

    [Fact]
    public void A_script_is_read_as_it_is_printed()
    {
        var text = """
            seed 7
            create v1 64p+100 fixed
            write v1 5p+100 3p fill 7
            clone v1: v2..v4 live 4p 8p fixed; v5 slice 0 4p nowrite; v6 snapshot 0 9p hole 1p 100
            dup v2 v2.1 Duplicate|Read
            decommit v2.1 0 1p
            resize v6 12p+1
            rest
            some 4
            crash 1
            trim
            revoke v2

            """.ReplaceLineEndings("\n");
        Assert.Equal(text, Script.Parse("# a remark\n" + text).ToString());
        Assert.Throws<FormatException>(() => Script.Parse("write v1"));
        Assert.Throws<FormatException>(() => Script.Parse("wipe v1 0 1"));
    }

    private static async Task IsFoundAsync(Func<Script, ITarget> start, params OpKind[] kinds)
    {
        var result = await new Stress(new() { Seed = 1, Count = 20_000 }, start, _ => { }).RunAsync();
        Assert.NotNull(result.Failing);
        Assert.InRange(result.Failing.Ops.Count, 1, 7);
        Assert.All(kinds, kind => Assert.Contains(result.Failing.Ops, op => op.Kind == kind));
        Assert.NotNull(await Play.ScriptAsync(Script.Parse(result.Failing.ToString()), start));
        Assert.Null(await Play.ScriptAsync(result.Failing, script => new CoreTarget(script.Seed)));
    }

    private sealed class Forgetful(int seed, OpKind what) : CoreTarget(seed)
    {
        public override Task<Outcome> CallAsync(Op op) => op.Kind == what && op.On.Vmo > 1 && op.B < 1 << 20 ? Task.FromResult(Outcome.Ok) : base.CallAsync(op);
    }

    private sealed class Slanted(int seed) : CoreTarget(seed)
    {
        private const ulong Where = (256 * Limits.PageBytes) + 17;

        public override async Task<(Outcome Outcome, byte[] Data)> ReadAsync(HandleName on, ulong offset, ulong length)
        {
            var (outcome, data) = await base.ReadAsync(on, offset, length);
            if (outcome.IsOk && offset <= Where && offset + length > Where)
                data[Where - offset] |= 1;
            return (outcome, data);
        }
    }
}
