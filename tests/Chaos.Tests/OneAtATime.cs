// Each of these tests starts processes and waits for what they do with time: side by side on two cores they would wait for each other.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
