namespace VmoCluster;

/// <summary>What is true of a status wherever it is shown.</summary>
public static class VmoStatusExtensions
{
    /// <summary>Whether the same call, under the same request id, can help.</summary>
    public static bool IsRetryable(this VmoStatus status) => status is VmoStatus.ShouldWait or VmoStatus.Io;

    private static readonly Dictionary<VmoStatus, string> Names = Enum.GetValues<VmoStatus>().ToDictionary(status => status, Spell);

    /// <summary>The name as Zircon and the command line write it: <c>OUT_OF_RANGE</c>.</summary>
    public static string ToZxName(this VmoStatus status) => Names.TryGetValue(status, out var name) ? name : Spell(status);

    private static string Spell(VmoStatus status)
    {
        var name = status.ToString();
        var text = new System.Text.StringBuilder(name.Length + 4);
        for (var i = 0; i < name.Length; i++)
        {
            if (i > 0 && char.IsUpper(name[i]))
                text.Append('_');
            text.Append(char.ToUpperInvariant(name[i]));
        }

        return text.ToString();
    }
}
