//! Sessions of any keys at any size: none panics.

use super::*;
use crate::model::{sample_ends, sample_queues};
use crate::tui::worker::DumpOutcome;

/// A step of a session: keys, sizes, time and answers, in any order.
#[derive(Clone, Debug)]
enum Step {
    Key(KeyCode, KeyModifiers),
    Paste(String),
    Resize(u16, u16),
    Tick,
    Answer(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let code = prop_oneof![
        8 => prop::sample::select("jkhgGnNfs123456789I ?/q\"=<tlppwx".chars().collect::<Vec<_>>())
            .prop_map(KeyCode::Char),
        8 => prop::sample::select(vec![
            KeyCode::Enter, KeyCode::Esc, KeyCode::Backspace, KeyCode::Up, KeyCode::Down,
            KeyCode::Left, KeyCode::Right, KeyCode::PageUp, KeyCode::PageDown, KeyCode::Home,
            KeyCode::End, KeyCode::F(1), KeyCode::Tab, KeyCode::Delete,
        ]),
        1 => any::<char>().prop_map(KeyCode::Char),
    ];
    let modifiers = prop_oneof![
        9 => Just(KeyModifiers::NONE),
        1 => any::<u8>().prop_map(KeyModifiers::from_bits_truncate),
    ];
    let size = prop_oneof![0u16..8, 0u16..300];
    let step = prop_oneof![
        12 => (code, modifiers).prop_map(|(code, modifiers)| Step::Key(code, modifiers)),
        1 => any::<String>().prop_map(Step::Paste),
        2 => (size.clone(), size).prop_map(|(width, height)| Step::Resize(width, height)),
        2 => Just(Step::Tick),
        6 => any::<u8>().prop_map(Step::Answer),
    ];
    prop::collection::vec(step, 1..60)
}

fn answer(stage: &mut Stage, kind: u8, time: u64) {
    match &stage.pending {
        // The end of the tracing is not asked for as a reading is.
        None | Some(Request::EndTrace) => {}
        Some(Request::Processes) if kind.is_multiple_of(4) => {
            stage.pending = None;
            stage.happen(Event::Reply(Reply::Processes(Err("no".into()))));
        }
        Some(Request::Processes) => {
            let mut reading = processes();
            reading.processes.truncate(usize::from(kind % 7));
            stage.list(reading);
        }
        Some(Request::Files(_)) => match kind % 16 {
            0 => stage.fail(FilesOutcome::Failed("no".into())),
            1 => stage.fail(FilesOutcome::Ended { zombie: kind > 100 }),
            2 => stage.fail(FilesOutcome::NoProcess),
            rest => {
                let mut reading = reading_after(time);
                reading.time += Duration::from_secs(time);
                reading.complete = rest % 5 != 0;
                reading.files.truncate(usize::from(rest));
                reading.files.iter_mut().for_each(|file| {
                    Arc::make_mut(file).id = Some(FileId::new(u64::from(kind) / 64));
                });
                stage.read(reading);
            }
        },
        Some(Request::Dump(_)) => answer_dump(stage, kind),
        Some(Request::Ends(_)) => {
            let mut held = sample_ends::held();
            held.retain(|held| !held.pid.is_multiple_of(u32::from(kind % 8) + 2));
            stage.sweep(&held);
        }
        Some(Request::Write(_)) => {
            stage.pending = None;
            let result = if kind > 100 { Ok("written".into()) } else { Err("no".into()) };
            stage.happen(Event::Reply(Reply::Written(result)));
        }
    }
}

/// A dump of files that were closed, replaced, read from and written to meanwhile.
fn answer_dump(stage: &mut Stage, kind: u8) {
    let mut fail = |outcome| {
        let request = stage.dump_request();
        stage.dumped(request, outcome);
    };
    match kind % 32 {
        0 => return fail(DumpOutcome::Failed("no".into())),
        1 => return fail(DumpOutcome::Missing("no".into())),
        2 => return fail(DumpOutcome::NoFile),
        3 if kind > 200 => return fail(DumpOutcome::Ended),
        4 => stage.world = sample_queues::files(),
        5 => stage.world.iter_mut().for_each(|file| file.id = Some(FileId::new(kind.into()))),
        6 => drop(stage.world.pop()),
        _ => {}
    }
    for file in &mut stage.world {
        let queues = file.socket.as_mut().and_then(|socket| socket.queues.as_mut());
        for queue in queues.into_iter().flatten() {
            match kind % 16 {
                7 if !queue.packets.is_empty() => drop(queue.packets.remove(0)),
                8 => queue.packets.clear(),
                9 => queue.packets.insert(0, sample_queues::packet(kind.into(), b"\x1b\xff\n")),
                10 => (queue.torn, queue.messages) = (!queue.torn, Some(5000)),
                11 => queue.packets.iter_mut().for_each(|packet| packet.files.truncate(1)),
                _ => {}
            }
        }
    }
    stage.dump_once();
}

proptest! {
    #[test]
    fn no_size_and_no_keys_make_it_panic(steps in steps()) {
        let mut stage = Stage::new(None);
        for (step, time) in steps.into_iter().zip(0..) {
            match step {
                Step::Key(code, modifiers) => {
                    stage.happen(Event::Key(KeyEvent::new(code, modifiers)));
                }
                Step::Paste(text) => stage.happen(Event::Paste(text)),
                Step::Resize(width, height) => stage.resize(width, height),
                Step::Tick => stage.tick(),
                Step::Answer(kind) => answer(&mut stage, kind, time),
            }
            stage.draw();
        }
    }
}
