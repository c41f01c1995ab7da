// Goal: what happened can be read, repeated, given up and forgotten. Method: some deliveries on a hand-set clock.

#include "scenarios.hpp"

void records() {
    using hookbox::BatchStatus;
    using hookbox::Status;
    Stage stage;
    std::string path = fresh_path("records.db");
    hookbox::Box box = must(hookbox::Box::open(path, stage.options));
    std::string webhook = active_webhook(box);
    hookbox::Time began = stage.clock->now();
    std::string first = must(box.emit("a", "user.created", "1"));
    std::string second = must(box.emit("a", "user.deleted", "2"));
    must(box.poll());
    stage.transport->answer(hookbox::Outcome::answered(500, {}, "oh"));
    std::string third = must(box.emit("a", "user.created", "3"));

    hookbox::Backlog backlog = must(box.backlog("a", webhook));
    same(backlog.events_owed, 1u);
    check(backlog.oldest_owed_at == began && backlog.last_success_at == began && !backlog.failing_since);
    must(box.poll());
    backlog = must(box.backlog("a", webhook));
    same(backlog.batches_waiting, 1u);
    same(backlog.consecutive_failures, 1u);
    check(backlog.failing_since == began && backlog.next_due > began);
    same(backlog.batches_leased + backlog.batches_parked + backlog.batches_exhausted + backlog.events_owed, 0u);

    hookbox::EventQuery events;
    events.event_type = "user.created";
    events.limit = 1;
    hookbox::Page<hookbox::Event> page = must(box.events("a", events));
    same(page.items.at(0).id, third);
    events.cursor = page.next_cursor;
    same(must(box.events("a", events)).items.at(0).id, first);

    hookbox::Page<hookbox::Batch> batches = must(box.batches("a"));
    same(batches.items.size(), 2u);
    hookbox::Batch waiting = batches.items[0];
    hookbox::Batch done = batches.items[1];
    check(waiting.status == BatchStatus::waiting && waiting.due_at > began && !waiting.ended_at);
    check(done.status == BatchStatus::delivered && done.ended_at == began && done.end_reason.empty());
    same(done.event_count, 2u);
    check(done.first_position == 1 && done.last_position == 2 && done.attempts == 1 && done.failures == 0);
    same(must(box.batch(waiting.id)).failures, 1u);
    hookbox::BatchQuery query;
    query.webhook = webhook;
    query.status = BatchStatus::waiting;
    same(must(box.batches("a", query)).items.size(), 1u);

    hookbox::AttemptQuery attempts;
    attempts.batch = waiting.id;
    hookbox::Attempt attempt = must(box.attempts("a", attempts)).items.at(0);
    check(attempt.http_status == 500 && attempt.number == 1 && attempt.failure.empty());
    check(attempt.excerpt == "oh" && attempt.started_at == began && attempt.webhook_id == webhook);
    same(must(box.attempts("a")).items.size(), 2u);

    hookbox::BatchStory story = must(box.explain_batch(waiting.id));
    check(story.batch.id == waiting.id && story.attempts.size() == 1 && !story.sentences.empty());
    hookbox::EventStory event = must(box.explain_event(second));
    check(event.event.id == second && event.batches.size() == 1 && !event.sentences.empty());
    same(event.batches[0].batch.id, done.id);
    same(event.batches[0].attempts.size(), 1u);

    refused(box.resend_batch("a", waiting.id), Status::batch_conflict);
    hookbox::Batch cancelled = must(box.cancel_batch("a", waiting.id));
    check(cancelled.status == BatchStatus::cancelled && !cancelled.end_reason.empty());
    refused(box.cancel_batch("a", waiting.id), Status::batch_conflict);
    check(must(box.resend_batch("a", waiting.id)).status == BatchStatus::waiting);
    stage.transport->answer(hookbox::Outcome::answered(200));
    stage.clock->advance(std::chrono::hours(1));
    must(box.poll());
    check(must(box.batch(waiting.id)).status == BatchStatus::delivered);

    same(must(box.replay_webhook("a", webhook, began)), 3u);
    must(box.poll());
    same(must(box.batches("a")).items.size(), 3u);

    check(must(box.check()).empty());
    std::string copy = fresh_path("copy.db");
    must(box.backup(copy));
    refused(box.backup(copy), Status::invalid_request);
    same(must(must(hookbox::Box::open_read_only(copy)).event(first)).payload, "1");
    hookbox::Stats stats = must(box.stats());
    check(stats.last_position == 3 && stats.bytes > 0);

    must(box.prune(stage.clock->now() + std::chrono::hours(1)));
    refused(box.event(first), Status::event_not_found);
    check(must(box.batches("a")).items.empty());
}
