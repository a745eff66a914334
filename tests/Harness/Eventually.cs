using System.Diagnostics;

namespace VmoCluster.Harness;

/// <summary>Waiting for what takes its time, without sleeping longer than it takes.</summary>
public static class Eventually
{
    /// <summary>Tries until it is so; says what was missing when patience ends.</summary>
    public static async Task UntilAsync(string missing, Func<Task<bool>> isSo, TimeSpan? patience = null)
    {
        ArgumentNullException.ThrowIfNull(isSo);
        var (began, most) = (Stopwatch.GetTimestamp(), patience ?? TimeSpan.FromSeconds(60));
        while (!await isSo())
        {
            if (Stopwatch.GetElapsedTime(began) > most)
            {
                throw new TimeoutException($"After {most.TotalSeconds} s still missing: {missing}");
            }

            await Task.Delay(50);
        }
    }

    /// <inheritdoc cref="UntilAsync(string, Func{Task{bool}}, TimeSpan?)"/>
    public static Task UntilAsync(string missing, Func<bool> isSo) => UntilAsync(missing, () => Task.FromResult(isSo()));
}
