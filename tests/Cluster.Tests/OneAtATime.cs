using Xunit;

// Each of these tests starts processes and measures them against leases and deadlines: side by side on two cores they would measure each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
