using VmoCluster.PageStore.Tests.Conformance;

namespace VmoCluster.PageStore.Tests;

// One suite, one subclass for each kind of store.

[Collection(GarnetCollection.Name)]
public sealed class GarnetRecords(GarnetBackend backend) : RecordConformance(backend);

[Collection(GarnetCollection.Name)]
public sealed class GarnetCommits(GarnetBackend backend) : CommitConformance(backend);

[Collection(GarnetCollection.Name)]
public sealed class GarnetLayers(GarnetBackend backend) : LayerConformance(backend);

[Collection(GarnetCollection.Name)]
public sealed class GarnetBlobs(GarnetBackend backend) : BlobConformance(backend);

[Collection(GarnetCollection.Name)]
public sealed class GarnetSessions(GarnetBackend backend) : SessionConformance(backend);

[Collection(RedisCollection.Name)]
public sealed class RedisRecords(RedisBackend backend) : RecordConformance(backend);

[Collection(RedisCollection.Name)]
public sealed class RedisCommits(RedisBackend backend) : CommitConformance(backend);

[Collection(RedisCollection.Name)]
public sealed class RedisLayers(RedisBackend backend) : LayerConformance(backend);

[Collection(RedisCollection.Name)]
public sealed class RedisBlobs(RedisBackend backend) : BlobConformance(backend);

[Collection(RedisCollection.Name)]
public sealed class RedisSessions(RedisBackend backend) : SessionConformance(backend);

[Collection(ClusterCollection.Name)]
public sealed class ClusterRecords(ClusterBackend backend) : RecordConformance(backend);

[Collection(ClusterCollection.Name)]
public sealed class ClusterCommits(ClusterBackend backend) : CommitConformance(backend);

[Collection(ClusterCollection.Name)]
public sealed class ClusterLayers(ClusterBackend backend) : LayerConformance(backend);

[Collection(ClusterCollection.Name)]
public sealed class ClusterBlobs(ClusterBackend backend) : BlobConformance(backend);

[Collection(ClusterCollection.Name)]
public sealed class ClusterSessions(ClusterBackend backend) : SessionConformance(backend);
