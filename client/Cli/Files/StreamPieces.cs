namespace VmoCluster.Cli.Files;

/// <summary>A pipe read in pieces.</summary>
internal static class StreamPieces
{
    /// <summary>Reads until the buffer is full or the stream ends; returns how much came.</summary>
    public static async Task<int> FillAsync(Stream stream, Memory<byte> buffer, CancellationToken cancellation)
    {
        var done = 0;
        while (done < buffer.Length)
        {
            // A read of a pipe blocks its thread and hears no token. An interrupted command leaves it behind and ends.
            var read = await Task.Run(() => stream.ReadAsync(buffer[done..], cancellation).AsTask(), cancellation).WaitAsync(cancellation);
            if (read == 0)
                break;
            done += read;
        }

        return done;
    }
}
