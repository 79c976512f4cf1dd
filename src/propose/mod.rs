//! Where candidates come from. Pure: texts and past verdicts in, a plan out.
