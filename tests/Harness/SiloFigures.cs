using System.Globalization;

namespace VmoCluster.Harness;

/// <summary>What a silo tells of itself for Prometheus.</summary>
public static class SiloFigures
{
    private static readonly HttpClient Pages = new();

    /// <summary>The sum of all series whose name begins so; 0 if there is none yet.</summary>
    public static async Task<double> SumAsync(SiloProcess silo, string name)
    {
        var sum = 0.0;
        foreach (var line in (await Pages.GetStringAsync(new Uri(silo.Http, "/metrics"))).Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal) && line.Length > name.Length && line[name.Length] is '{' or ' ')
                sum += double.Parse(line.AsSpan(line.LastIndexOf('}') + 1).Trim().ToString().Split(' ')[0], CultureInfo.InvariantCulture);
        }

        return sum;
    }
}
