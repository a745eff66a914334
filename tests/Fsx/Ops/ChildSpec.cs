namespace VmoCluster.Fsx.Ops;

/// <summary>Children of one clone call that are alike: their names follow one another.</summary>
public sealed record ChildSpec(int First, int Count, VmoKind Kind, ulong Offset, ulong Size, bool IsFixed = false, bool IsReadOnly = false, ulong HoleAt = 0, ulong HoleSize = 0)
{
    public override string ToString() =>
        (Count == 1 ? $"v{First}" : $"v{First}..v{First + Count - 1}")
        + $" {Kind.ToString().ToLowerInvariant()} {Amount.Format(Offset)} {Amount.Format(Size)}"
        + (IsFixed ? " fixed" : "") + (IsReadOnly ? " nowrite" : "") + (HoleSize > 0 ? $" hole {Amount.Format(HoleAt)} {Amount.Format(HoleSize)}" : "");

    public static ChildSpec Parse(string text)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var names = words[0].Split("..");
        var (first, last) = (HandleName.Parse(names[0]).Vmo, HandleName.Parse(names[^1]).Vmo);
        var hole = Array.IndexOf(words, "hole");
        return new(first, last - first + 1, Enum.Parse<VmoKind>(words[1], ignoreCase: true), Amount.Parse(words[2]), Amount.Parse(words[3]), words.Contains("fixed"), words.Contains("nowrite"),
            hole < 0 ? 0 : Amount.Parse(words[hole + 1]), hole < 0 ? 0 : Amount.Parse(words[hole + 2]));
    }
}
