using System.Globalization;

namespace VmoCluster.Fsx.Ops;

/// <summary>How a script calls a handle: v3 is the one VMO 3 was made with, v3.1 and on are duplicates.</summary>
public readonly record struct HandleName(int Vmo, int Number = 0)
{
    public static HandleName Parse(string text)
    {
        if (!text.StartsWith('v'))
            throw new FormatException($"'{text}' is no handle; it is v and a number, as v3 or v3.1");
        var parts = text[1..].Split('.');
        return new(int.Parse(parts[0], CultureInfo.InvariantCulture), parts.Length > 1 ? int.Parse(parts[1], CultureInfo.InvariantCulture) : 0);
    }

    public override string ToString() => Number == 0 ? $"v{Vmo}" : $"v{Vmo}.{Number}";
}
