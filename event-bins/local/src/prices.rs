//! What requests cost, in US dollars each.

/// Where and when these prices were public: <https://aws.amazon.com/sqs/pricing/> and
/// <https://aws.amazon.com/s3/pricing/>, free tier left out.
pub const PRICES: &str = "us-east-1, November 2026";

/// A standard queue, for each request of any kind and each 64 KiB of its payload.
pub const SQS_REQUEST: f64 = 0.40 / 1e6;
/// S3 Standard: puts and lists.
pub const S3_PUT: f64 = 5.00 / 1e6;
/// S3 Standard: gets and heads.
pub const S3_GET: f64 = 0.40 / 1e6;
