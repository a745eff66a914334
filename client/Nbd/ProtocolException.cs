namespace VmoCluster.NbdDoor;

/// <summary>A client has said what the protocol does not know, where nothing can be answered: its connection ends.</summary>
public sealed class ProtocolException(string message) : Exception(message);
