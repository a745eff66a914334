using System.Globalization;

namespace VmoCluster.Fsx.Ops;

/// <summary>Operations in order, with the seed of whatever else is left to chance (in the simulation: what happens when). One operation a line; # begins a remark.</summary>
public sealed record Script(int Seed, IReadOnlyList<Op> Ops)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"seed {Seed}\n") + string.Concat(Ops.Select(op => op + "\n"));

    public static Script Parse(string text)
    {
        var (seed, ops) = (0, new List<Op>());
        foreach (var line in text.Split('\n').Select(line => line.Split('#')[0].Trim()).Where(line => line.Length > 0))
        {
            if (line.StartsWith("seed ", StringComparison.Ordinal))
                seed = int.Parse(line[5..], CultureInfo.InvariantCulture);
            else
                ops.Add(Op.Parse(line));
        }

        return new(seed, ops);
    }
}
