using VmoCluster.Messages;

namespace VmoCluster.Client;

/// <summary>What a client believes of an answer: its shape must fit what was asked, whoever sent it.</summary>
internal static class Replies
{
    public static Outcome[]? Checked(ReadItem[] items, ReadReplies replies)
    {
        var expected = 0L;
        if (replies.Outcomes is { } outcomes && outcomes.Length != items.Length)
            return Misshapen(items.Length, $"{outcomes.Length} outcomes for {items.Length} reads");
        for (var i = 0; i < items.Length; i++)
            expected += replies.Outcomes?[i].IsOk ?? true ? items[i].Length : 0;
        return expected == replies.Data.Length
            ? replies.Outcomes
            : Misshapen(items.Length, $"{replies.Data.Length} bytes for reads of {expected} bytes");
    }

    public static Outcome[]? Checked(int items, WriteReplies replies) => replies.Outcomes is null || replies.Outcomes.Length == items
        ? replies.Outcomes
        : Misshapen(items, $"{replies.Outcomes.Length} outcomes for {items} writes");

    private static Outcome[] Misshapen(int items, string what)
    {
        var outcomes = new Outcome[items];
        Array.Fill(outcomes, new Outcome(VmoStatus.Internal, $"the answer does not fit the call: {what}"));
        return outcomes;
    }
}
