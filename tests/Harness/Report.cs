using System.Globalization;
using System.Runtime.InteropServices;

namespace VmoCluster.Harness;

/// <summary>The figures, as one Markdown table.</summary>
public sealed class Report
{
    private readonly List<(string What, string Value, string Against, string Ratio, string AtLeast)> _rows = [];

    /// <summary>A rate against a raw one.</summary>
    public void Rate(string what, double value, string rawName, double raw, double atLeast, string unit = "/s") =>
        Add(what, string.Create(CultureInfo.InvariantCulture, $"{value:N0} {unit}"), string.Create(CultureInfo.InvariantCulture, $"{rawName} {raw:N0} {unit}"),
            string.Create(CultureInfo.InvariantCulture, $"{value / raw:F2} x"), string.Create(CultureInfo.InvariantCulture, $"{atLeast:F2} x"));

    /// <summary>Any figure.</summary>
    public void Add(string what, string value, string against = "", string ratio = "", string atLeast = "")
    {
        _rows.Add((what, value, against, ratio, atLeast));
        Console.Error.WriteLine($"{what}: {value} {against} {ratio}");
    }

    public void Print(TextWriter output)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{DateTime.UtcNow:yyyy-MM-dd HH:mm} UTC, {Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, .NET {Environment.Version}"));
        output.WriteLine();
        output.WriteLine("| what | measured | against | ratio | wanted |");
        output.WriteLine("|---|---|---|---|---|");
        foreach (var row in _rows)
            output.WriteLine($"| {row.What} | {row.Value} | {row.Against} | {row.Ratio} | {row.AtLeast} |");
    }
}
