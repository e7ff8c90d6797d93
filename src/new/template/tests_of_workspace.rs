    #[tokio::test]
    async fn gold_answers_earn_1_and_silence_earns_less() {
        crate::trials::gold_answers_earn_1::<KindName>().await;
        crate::trials::silence_earns_less::<KindName>().await;
    }
