using System.Text;
using VmoCluster.Core.Store;

namespace VmoCluster.PageStore.Tests.Conformance;

/// <summary>An opened store under a prefix of this test's own, and a VMO to play with.</summary>
public abstract class StoreConformance(StoreBackend backend) : IAsyncLifetime
{
    private protected static readonly Owner First = new(0xa1, 1, 0x11);
    private protected static readonly Owner Second = First.Next(0xb2, 0x22);

    private RedisStore? _store;

    private protected StoreBackend Backend { get; } = backend;

    private protected RedisStoreOptions Options { get; } = backend.FreshOptions();

    private protected RedisStore Store => _store!;

    private protected IPageStore Pages => _store!.Pages;

    private protected ISessionStore Sessions => _store!.Sessions;

    public async Task InitializeAsync() => _store = await StoreBackend.OpenAsync(Options);

    public async Task DisposeAsync() => await _store!.DisposeAsync();

    private protected static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private protected static StoreField Field(string name, string value) => new(Bytes(name), Bytes(value));

    private protected static Dictionary<string, string> Texts(IEnumerable<StoreField> fields) =>
        fields.ToDictionary(f => Encoding.UTF8.GetString(f.Name.Span), f => Encoding.UTF8.GetString(f.Value.Span));

    /// <summary>A VMO owned by <see cref="First"/>, its layer 1 of seq 1.</summary>
    private protected async Task<(Koid Vmo, LayerId Layer)> CreateAsync()
    {
        var vmo = await Pages.AllocateKoidsAsync(1, CancellationToken.None);
        var layer = new LayerId(vmo, 1);
        Assert.True(await Pages.CreateAsync(vmo, First, layer, [Field("size", "0")], [Field("meta", "m"), Field("top", "1")], isPromised: false, CancellationToken.None));
        return (vmo, layer);
    }

    private protected static StoreCommit LayerCommit(Koid vmo, LayerId layer, ulong seq, params StoreField[] fields) => new()
    {
        Vmo = vmo, Owner = First, Target = CommitTarget.Layer, Layer = layer, Seq = seq, Fields = fields,
    };

    private protected static StoreCommit RecordCommit(Koid vmo, LayerId layer, ulong seq, params StoreField[] fields) => new()
    {
        Vmo = vmo, Owner = First, Target = CommitTarget.Record, Layer = layer, Seq = seq, Fields = fields,
    };

    private protected static BlobWrite Blob(uint nonce, uint counter, params byte[][] pieces) =>
        new(new(nonce, counter), Array.ConvertAll(pieces, piece => (ReadOnlyMemory<byte>)piece));

    private protected async Task<byte[]?> ReadBlobAsync(LayerId layer, BlobId blob, int offset, int length)
    {
        var bytes = new byte[length];
        var found = await Pages.ReadBlobsAsync([new(layer, blob, offset, bytes)], CancellationToken.None);
        return found[0] ? bytes : null;
    }

    private protected async Task<(ulong Seq, Dictionary<string, string> Fields)> LayerAsync(LayerId layer, params string[] names)
    {
        var hash = await Pages.LoadLayerAsync(layer, Array.ConvertAll(names, Bytes), CancellationToken.None);
        Assert.NotNull(hash);
        return (hash.Seq, Texts(hash.Fields));
    }

    private protected static async Task<List<T>> AllAsync<T>(IAsyncEnumerable<IReadOnlyList<T>> portions)
    {
        var all = new List<T>();
        await foreach (var portion in portions)
            all.AddRange(portion);
        return all;
    }
}
