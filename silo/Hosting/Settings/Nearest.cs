namespace VmoCluster.Hosting.Settings;

/// <summary>What somebody who mistyped a name probably meant.</summary>
internal static class Nearest
{
    /// <summary>The known name with the fewest letters to change, ignoring case; null if more than a third of the name would have to change.</summary>
    public static string? To(string name, IEnumerable<string> known)
    {
        var nearest = known.Select(candidate => (candidate, distance: Distance(name, candidate))).MinBy(pair => pair.distance);
        return nearest.candidate is not null && nearest.distance <= Math.Max(1, nearest.candidate.Length / 3) ? nearest.candidate : null;
    }

    private static int Distance(string a, string b)
    {
        // Levenshtein's, one row at a time.
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 0; i < a.Length; i++)
        {
            var diagonal = row[0]++;
            for (var j = 0; j < b.Length; j++)
            {
                var change = diagonal + (char.ToLowerInvariant(a[i]) == char.ToLowerInvariant(b[j]) ? 0 : 1);
                diagonal = row[j + 1];
                row[j + 1] = Math.Min(change, Math.Min(row[j + 1], row[j]) + 1);
            }
        }

        return row[^1];
    }
}
