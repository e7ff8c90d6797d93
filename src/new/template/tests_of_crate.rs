    #[tokio::test]
    async fn its_configuration_solves_the_example_tasks() {
        use facade_path::prelude::{Arc, Loader, MemoryRecorder, Runtime};

        let config = Loader::new().file("kind_name.yaml").load().unwrap();
        let kinds = facade_path::kinds().environment::<KindName>();
        let runtime = Runtime::start(config, &kinds).await.unwrap();
        let (collection, records) = (runtime.collection().unwrap(), Arc::new(MemoryRecorder::new()));
        let summary = runtime.collect(collection, records, Arc::default()).await.unwrap();
        runtime.stop().await;
        let rewards = &summary.environments["world"];
        assert_eq!((rewards.tasks, rewards.mean), (5, 1.0));
    }
