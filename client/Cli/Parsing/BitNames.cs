using System.Diagnostics.CodeAnalysis;

namespace VmoCluster.Cli.Parsing;

/// <summary>
/// Sets of bits as lists of kebab-case names, the same way in and out. <c>none</c> is the empty set.
/// </summary>
internal sealed class BitNames
{
    private readonly (string Name, uint Bit)[] _names;

    private BitNames(params (string, uint)[] names) => _names = names;

    /// <summary>The ten rights that exist here, in the order of their bits.</summary>
    public static BitNames Rights { get; } = new(
        ("duplicate", (uint)VmoRights.Duplicate), ("transfer", (uint)VmoRights.Transfer), ("read", (uint)VmoRights.Read),
        ("write", (uint)VmoRights.Write), ("map", (uint)VmoRights.Map), ("get-property", (uint)VmoRights.GetProperty),
        ("set-property", (uint)VmoRights.SetProperty), ("signal", (uint)VmoRights.Signal), ("wait", (uint)VmoRights.Wait),
        ("inspect", (uint)VmoRights.Inspect));

    /// <summary>The nine signals, in the order of their bits.</summary>
    public static BitNames Signals { get; } = new(
        ("zero-children", (uint)VmoSignals.ZeroChildren), ("user0", (uint)VmoSignals.User0), ("user1", (uint)VmoSignals.User1),
        ("user2", (uint)VmoSignals.User2), ("user3", (uint)VmoSignals.User3), ("user4", (uint)VmoSignals.User4),
        ("user5", (uint)VmoSignals.User5), ("user6", (uint)VmoSignals.User6), ("user7", (uint)VmoSignals.User7));

    /// <summary>All names, for help and completion.</summary>
    public IEnumerable<string> All => _names.Select(n => n.Name);

    /// <summary>Reads a comma-separated list. False: <paramref name="problem"/> says which name is unknown and what there is.</summary>
    public bool TryParse(string text, out uint bits, [NotNullWhen(false)] out string? problem)
    {
        (bits, problem) = (0, null);
        if (text == "none")
            return true;
        foreach (var name in text.Split(','))
        {
            var index = Array.FindIndex(_names, n => n.Name == name);
            if (index < 0)
            {
                problem = $"'{name}' is not one of {string.Join(", ", All)}, none";
                return false;
            }

            bits |= _names[index].Bit;
        }

        return true;
    }

    /// <summary>The names of the bits set.</summary>
    public IEnumerable<string> Of(uint bits) => _names.Where(n => (bits & n.Bit) != 0).Select(n => n.Name);

    /// <summary>The bits as <see cref="TryParse"/> reads them.</summary>
    public string Join(uint bits) => bits == 0 ? "none" : string.Join(',', Of(bits));
}
