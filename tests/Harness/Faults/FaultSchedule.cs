namespace VmoCluster.Harness;

/// <summary>
/// A replayable list of faults over time. Never are more silos down at once than the plan allows, a silo has one fault at a time, and so has
/// Redis; a silo's fault and one of Redis may meet. A rolling restart has the silos to itself.
/// </summary>
public static class FaultSchedule
{
    /// <summary>The plan's faults, in the order of their beginnings.</summary>
    public static IReadOnlyList<Fault> Of(FaultPlan plan)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(plan.Silos, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(plan.MaxDown, 0);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(plan.MaxDown, plan.Silos);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(plan.MeanInterval, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfZero(plan.Kinds.Count);
        var (chance, faults, at) = (new Random(plan.Seed), new List<Fault>(), TimeSpan.Zero);
        while (true)
        {
            at += plan.MeanInterval * -Math.Log(1 - chance.NextDouble());
            if (at >= plan.Length)
                return faults;

            // Always as many draws, whatever of it fits: what is drawn later does not depend on it.
            var (kind, target) = (plan.Kinds[chance.Next(plan.Kinds.Count)], chance.Next(plan.Silos));
            var (duration, seed) = (plan.MeanDuration * (0.5 + chance.NextDouble()), chance.Next());
            var fault = new Fault(Whole(at), kind, target, Whole(duration), seed);
            fault = fault.IsOfSilo ? fault : fault with { Target = Fault.NoTarget };
            if (fault.End <= plan.Length && Fits(plan, faults, fault))
                faults.Add(fault);
        }
    }

    private static bool Fits(FaultPlan plan, List<Fault> earlier, Fault fault)
    {
        // They begin in order, so whatever has not ended when this one begins is all that it can meet.
        var met = earlier.Where(other => other.End + plan.Recovery > fault.At).ToList();
        var isRolling = fault.Kind == FaultKind.RollingRestart;
        if (isRolling || fault.IsOfSilo)
        {
            if (fault.Down + met.Sum(other => other.Down) > plan.MaxDown)
                return false;
            return !met.Any(other => other.Kind == FaultKind.RollingRestart || (isRolling ? other.IsOfSilo : other.IsOfSilo && other.Target == fault.Target));
        }

        return met.All(other => other.IsOfSilo || other.Kind == FaultKind.RollingRestart);
    }

    // What is printed is what is done.
    private static TimeSpan Whole(TimeSpan time) => TimeSpan.FromMilliseconds(Math.Floor(time.TotalMilliseconds));
}
