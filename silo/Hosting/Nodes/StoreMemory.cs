using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using VmoCluster.Hosting.Settings;
using VmoCluster.PageStore;

namespace VmoCluster.Hosting.Nodes;

/// <summary>
/// What this node's data folder remembers of its store: which one it is and the newest heartbeat seen. Kept outside the store, because a store that was
/// emptied, exchanged or restored from an old copy cannot say so itself. The file is replaced whole; several silos that share a folder
/// write what they have seen in turn, which is less than some seconds apart.
/// </summary>
public sealed class StoreMemory
{
    /// <summary>What <c>--accept-store</c> says of a store that has no identity.</summary>
    public const string New = "new";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _path;
    private readonly VmoNodeOptions _options;
    private StoreSighting? _kept;

    private StoreMemory(string path, VmoNodeOptions options, StoreSighting? kept) => (_path, _options, _kept) = (path, options, kept);

    /// <summary>Reads what is remembered. Throws <see cref="StartupException"/> when the file is there and cannot be read.</summary>
    public static StoreMemory Read(VmoNodeOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        // A node that goes over to Redis has another store and does not forget the first.
        var path = Path.Combine(options.Data, options.IsEmbedded ? "embedded-seen" : "store-seen");
        try
        {
            return new(path, options, File.Exists(path) ? Parse(File.ReadAllBytes(path)) : null);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or JsonException or FormatException)
        {
            throw new StartupException(
                $"{path}: what this node has seen of its store cannot be read: {failure.Message} If --store-id says which store it is, the file may be removed.", failure);
        }
    }

    /// <summary>Why a store must not be used; null: it may. Asked before anything is written to it.</summary>
    /// <param name="found">Null: it has no identity.</param>
    public string? Judge(StoreSighting? found)
    {
        var accepted = _options.AcceptStore;
        if (_options.StoreId is { } only && !Same(only, found?.Id))
        {
            return found is null
                ? $"--store-id {only}: this store has no identity. It was emptied, or it is another Redis or --prefix; nothing was changed. Restore it; or, to begin with nothing, start once without --store-id"
                : $"--store-id {only}: this store's id is {found.Id}. It is another Redis or --prefix, or its data is gone; nothing was changed.";
        }

        if (_kept is not { } kept)
        {
            return null;
        }

        if (found is null)
        {
            return accepted == New
                ? null
                : $"this store has no identity, but {_path} remembers store {kept.Id}: it was emptied, or it is another Redis or --prefix; nothing was changed. "
                    + $"Restore it; or, to begin with nothing, start once with --accept-store {New}";
        }

        if (Same(accepted, found.Id))
        {
            return null;
        }

        if (found.Id != kept.Id)
        {
            return $"this store's id is {found.Id}, but {_path} remembers store {kept.Id}: it is another Redis or --prefix, or it was emptied and begun anew; nothing was changed. "
                + $"If it is the right one, start once with --accept-store {found.Id}";
        }

        return found.Behind(kept) <= StoreSighting.BehindMax
            ? null
            : string.Create(
                CultureInfo.InvariantCulture,
                $"store {found.Id} is {found.Behind(kept).TotalSeconds:F0} s behind what {_path} remembers (heartbeat {found.Beats} of {found.At:u}, seen was {kept.Beats} of {kept.At:u}), more than {StoreSighting.BehindMax.TotalSeconds:F0} s: an old copy was restored or promoted; nothing was changed. ")
                + $"Restore the newest; or, to lose what came after, start once with --accept-store {found.Id}";
    }

    /// <summary>How far an opened store is behind what was remembered; null: it is not.</summary>
    public TimeSpan? Behind(StoreSighting found)
    {
        ArgumentNullException.ThrowIfNull(found);
        return _kept is { } kept && kept.Id == found.Id && found.Beats < kept.Beats ? found.Behind(kept) : null;
    }

    /// <summary>Remembers. Throws <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>.</summary>
    public void Keep(StoreSighting seen)
    {
        ArgumentNullException.ThrowIfNull(seen);
        if (seen == _kept)
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(_path))!);
        var draft = $"{_path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        try
        {
            using (var file = new FileStream(draft, options))
            {
                JsonSerializer.Serialize(file, new Form(seen.Id, seen.Beats, seen.At));
                file.Flush(flushToDisk: true);
            }

            File.Move(draft, _path, overwrite: true);
            _kept = seen;
        }
        finally
        {
            File.Delete(draft);
        }
    }

    private static bool Same(string? asked, string? found) => string.Equals(asked, found, StringComparison.OrdinalIgnoreCase);

    private static StoreSighting Parse(byte[] bytes) =>
        JsonSerializer.Deserialize<Form>(bytes) is { Store.Length: 32 } form ? new(form.Store, form.Beats, form.At) : throw new FormatException("It names no store.");

    private sealed record Form(string Store, ulong Beats, DateTimeOffset At);
}
