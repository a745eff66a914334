using System.Globalization;
using System.Text.RegularExpressions;
using StackExchange.Redis;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore;

/// <summary>
/// The names of all keys. What must be changed together has the same hash tag and so lies on the same node of a Redis Cluster: a VMO's
/// record, tombstone, layers and blobs by {koid}, everything of the sessions by {sessions}.
/// </summary>
internal sealed partial class StoreKeys
{
    private readonly string _prefix;

    public StoreKeys(string prefix)
    {
        // No braces, or the prefix would become the hash tag; no glob characters, or a scan would find another cluster's keys.
        if (!Allowed().IsMatch(prefix))
            throw new StoreException(VmoStatus.Io, "The key prefix may hold 1 to 64 letters, digits, '.', '-', '_' and ':' only.");
        _prefix = prefix;
    }

    public RedisKey Store => _prefix + "store";

    public RedisKey Koids => _prefix + "koids";

    public RedisKey Sessions => _prefix + "{sessions}";

    public RedisKey Request(RequestId request) => $"{_prefix}req:{request}";

    public RedisKey Unfinished(ulong session) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}{{sessions}}:u:{session:x}");

    public RedisKey Record(Koid vmo) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}{{{vmo.Value}}}:v");

    public RedisKey Tombstone(Koid vmo) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}{{{vmo.Value}}}:t");

    public RedisKey Layer(LayerId layer) => string.Create(CultureInfo.InvariantCulture, $"{_prefix}{{{layer.Home.Value}}}:l:{layer.Number}");

    public RedisKey Blob(LayerId layer, BlobId blob) =>
        string.Create(CultureInfo.InvariantCulture, $"{_prefix}{{{layer.Home.Value}}}:b:{layer.Number}:{blob.Nonce:x}.{blob.Counter:x}");

    /// <summary>What all keys of layers and blobs match.</summary>
    public string Contents => _prefix + "{*}:[lb]:*";

    /// <summary>Reads the name of a layer or blob; null for any other.</summary>
    public StoredKey? Parse(string key)
    {
        if (!key.StartsWith(_prefix, StringComparison.Ordinal) || Content().Match(key, _prefix.Length) is not { Success: true } match)
            return null;
        if (!ulong.TryParse(match.Groups[1].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var koid)
            || !uint.TryParse(match.Groups[3].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return null;
        var layer = new LayerId(new(koid), number);
        if (match.Groups[2].ValueSpan is "l")
            return match.Groups[4].Success ? null : new(layer, null);
        return uint.TryParse(match.Groups[4].ValueSpan, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var nonce)
            && uint.TryParse(match.Groups[5].ValueSpan, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var counter)
            ? new(layer, new BlobId(nonce, counter))
            : null;
    }

    public RedisKey Target(Koid vmo, CommitTarget target, LayerId layer) => target == CommitTarget.Record ? Record(vmo) : Layer(layer);

    [GeneratedRegex("^[A-Za-z0-9._:-]{1,64}$")]
    private static partial Regex Allowed();

    [GeneratedRegex(@"\G\{(\d+)\}:([lb]):(\d+)(?::([0-9a-f]+)\.([0-9a-f]+))?$")]
    private static partial Regex Content();
}
