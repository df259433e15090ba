//! One question for many.

use std::sync::Mutex;

use super::*;

#[actix_web::test]
async fn one_question_is_asked_for_all_who_wait_and_answers_are_never_older_than_questions() {
    let truth = Arc::new(AtomicU64::new(0));
    let asked: Arc<Mutex<Vec<usize>>> = Arc::default();
    let gate = Arc::new(Semaphore::new(0));
    let (source, seen, shut) = (truth.clone(), asked.clone(), gate.clone());
    let gather = Gather::<u64, u64, Failed>::new(Duration::from_secs(10), move |keys: Vec<u64>| {
        seen.lock().unwrap().push(keys.len());
        let (now, shut) = (source.load(SeqCst), shut.clone());
        Box::pin(async move {
            shut.acquire().await.unwrap().forget();
            Ok(keys.into_iter().filter(|key| *key != 5).map(|key| (key, now)).collect())
        })
    });
    let engine = crate::platform::engine::Engine::start("gather").unwrap();
    let first = gather.get(1, &engine);
    let rest = async {
        until("the first is asked for", || asked.lock().unwrap().len() == 1).await;
        // Known from here on: nobody who asks now may be told anything older.
        truth.store(8, SeqCst);
        let all = join_all((0..100).map(|n| gather.get(n % 10, &engine)));
        let let_go = async { gate.add_permits(100) };
        join(all, let_go).await.0
    };
    let (first, rest) = join(first, rest).await;
    assert_eq!(first, Ok(0));
    for (n, answer) in rest.into_iter().enumerate() {
        assert_eq!(answer, Ok(if n % 10 == 5 { 0 } else { 8 }));
    }
    assert_eq!(*asked.lock().unwrap(), [1, 10]);
}

#[actix_web::test]
async fn a_question_that_falls_is_told_and_the_next_is_asked() {
    let falls = Arc::new(AtomicBool::new(true));
    let fall = falls.clone();
    let gather = Gather::<u64, u64, Failed>::new(Duration::from_secs(10), move |keys: Vec<u64>| {
        let falls = fall.swap(false, SeqCst);
        Box::pin(async move {
            assert!(!falls, "this question falls");
            Ok(keys.into_iter().map(|key| (key, key)).collect::<HashMap<u64, u64>>())
        })
    });
    let engine = crate::platform::engine::Engine::start("gather").unwrap();
    assert_eq!(gather.get(1, &engine).await, Err(Failed::Lost));
    assert_eq!(gather.get(1, &engine).await, Ok(1));
}
