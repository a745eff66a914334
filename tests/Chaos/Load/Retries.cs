using System.Diagnostics.Metrics;

namespace VmoCluster.Chaos.Load;

/// <summary>Counts, for as long as it lives, how often this process' clients were told to wait and tried again.</summary>
internal sealed class Retries : IDisposable
{
    private readonly MeterListener _meters = new() { InstrumentPublished = (instrument, listener) =>
    {
        if (instrument.Name == "vmo.client.retries")
            listener.EnableMeasurementEvents(instrument);
    } };

    private long _toldToWait;

    public Retries()
    {
        _meters.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            foreach (var tag in tags)
            {
                if (tag.Key == "vmo.status" && tag.Value is string status && status == VmoStatus.ShouldWait.ToZxName())
                    Interlocked.Add(ref _toldToWait, count);
            }
        });
        _meters.Start();
    }

    public long ToldToWait => Interlocked.Read(ref _toldToWait);

    public void Dispose() => _meters.Dispose();
}
