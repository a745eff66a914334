using VmoCluster.Core.Family;
using VmoCluster.Core.Store;
using VmoCluster.Messages;

namespace VmoCluster.Grains.Families;

/// <summary>
/// What a call answers that looks beyond one VMO. It is read where it is stored: other VMOs need not be active, and what is told is durable.
/// Whoever asks has shown a handle before.
/// </summary>
internal static class FamilyAnswers
{
    /// <summary>The same info with what the VMO is charged, and what its end would free.</summary>
    public static Task<VmoReply> ChargeAsync(IPageStore store, VmoReply reply, VmoInfo info) => GuardAsync(info.Koid, async () =>
    {
        var books = new FamilyBooks();
        books.Ask(info.Koid);
        await new FamilyReader(store, CancellationToken.None).FillAsync(books);
        return reply.With(info with { ChargedBytes = books.ChargedTo(info.Koid), WouldFreeBytes = books.FreedWith(info.Koid) });
    });

    /// <summary>The family of a VMO, from a koid on.</summary>
    public static Task<VmoReply> TreeAsync(IPageStore store, Koid koid, Koid after, CancellationToken cancellation) =>
        GuardAsync(koid, () => new FamilyTree(new(store, cancellation), koid).AnswerAsync(after));

    /// <summary>Where a page comes from.</summary>
    public static Task<VmoReply> ExplainAsync(IPageStore store, Koid koid, ulong page, CancellationToken cancellation) =>
        GuardAsync(koid, () => new PageExplanation(new(store, cancellation), koid, page).AnswerAsync());

    private static async Task<VmoReply> GuardAsync(Koid koid, Func<Task<VmoReply>> answer)
    {
        try
        {
            return await answer();
        }
        catch (StoreException exception)
        {
            return VmoReply.Fail(exception.Status, exception.Message, 200);
        }
        catch (InvalidDataException exception)
        {
            return VmoReply.Fail(VmoStatus.DataLoss, $"the family of VMO {koid} is damaged in the store: {exception.Message}");
        }
    }
}
